"""Times of spoken words, put back onto the words of the message."""

import pytest

from parley.marks import message_up_to
from parley_tts.word_times import SpokenWord, place_words


def spoken(text: str, word_ms: float = 100) -> list[SpokenWord]:
    """The words of `text`, one after another, `word_ms` each."""
    return [SpokenWord(word, i * word_ms, (i + 1) * word_ms) for i, word in enumerate(text.split())]


def times(message: str, said: str) -> dict[str, tuple[float, float]]:
    return {m.word: (m.start_ms, m.end_ms) for m in place_words(message, spoken(said))}


@pytest.mark.parametrize(
    ("message", "said", "word", "expected"),
    [
        ("It is 7:30 pm now.", "It is seven thirty P.M. now.", "7:30", (200, 400)),
        ("It is 7:30 pm now.", "It is seven thirty P.M. now.", "pm", (400, 500)),
        ("It costs $9.99.", "It costs $9.99.", "$9.99.", (200, 300)),
        ("I owe $5M today.", "I owe 5 million dollars today.", "$5M", (200, 500)),
        ("On 2024-03-05 we met.", "On March fifth, 2024 we met.", "2024-03-05", (100, 400)),
        ("On Jan. 5 we met.", "On January fifth we met.", "Jan.", (100, 200)),
        ("Ask Dr. Smith here.", "Ask Dr Smith here.", "Dr.", (100, 200)),
        ("See St. Paul there.", "See Saint Paul there.", "St.", (100, 200)),
        ("Call 555-1234 now.", "Call 5 5 5, 1 2 3 4 now.", "555-1234", (100, 800)),
        ("A state-of-the-art one.", "A state-of-the-art one.", "state-of-the-art", (100, 200)),
        ('"Yes," he said.', '"Yes," he said.', '"Yes,"', (0, 100)),
        ("“Yes,” he said.", "“Yes,” he said.", "“Yes,”", (0, 100)),
        ("My Zyxquorp café!", "My Zyxquorp café!", "Zyxquorp", (100, 200)),
        ("Rich & famous", "Rich & famous", "&", (100, 200)),
        ("x = 3", "x equals 3", "=", (100, 200)),
        ("I like 😀 you", "I like you", "😀", (200, 200)),
    ],
)
def test_a_word_has_the_time_of_what_was_said_for_it(
    message: str, said: str, word: str, expected: tuple[float, float]
) -> None:
    assert times(message, said)[word] == pytest.approx(expected)


@pytest.mark.parametrize(
    "message",
    [
        "Sure, your meeting with Dr. Smith is at 7:30 pm on March 3rd, and it costs $9.99.",
        "well — I think so… 😀 OK 😀",
        "😀 — first, then last",
        "one  two\n three\tfour",
        "the the the the",
    ],
)
@pytest.mark.parametrize("said", ["well think so first last", "the", "one two three four five six"])
def test_every_word_has_a_mark_in_order_whatever_was_said(message: str, said: str) -> None:
    marks = place_words(message, spoken(said))
    assert [mark.word for mark in marks] == message.split()
    moments = [moment for mark in marks for moment in (mark.start_ms, mark.end_ms)]
    assert moments == sorted(moments)
    assert moments[0] >= 0
    assert moments[-1] <= 100 * len(said.split())
    for mark in marks:
        assert message.startswith(mark.word, mark.offset)


def test_a_word_that_was_not_read_shares_the_gap() -> None:
    said = [SpokenWord("one", 0, 100), SpokenWord("four", 300, 400)]
    marks = place_words("one two! tri four", said)
    assert [(m.start_ms, m.end_ms) for m in marks[1:3]] == [
        (100, pytest.approx(100 + 200 * 4 / 7)),
        (pytest.approx(100 + 200 * 4 / 7), 300),
    ]


def test_nothing_said_gives_no_marks() -> None:
    assert place_words("", []) == []
    assert place_words("😀 ...", []) == []


def test_the_marks_cut_the_message_at_its_own_words() -> None:
    message = "It is 7:30 pm now."
    marks = place_words(message, spoken("It is seven thirty P.M. now."))
    assert message_up_to(message, marks, 320, 600) == "It is 7:30"
