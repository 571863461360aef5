"""Cutting a reply into what is spoken in one piece."""

import time

import pytest

from parley_gateway.segments import MAX_CHARACTERS, WINDOW, Segmenter, speakable


def segments(text: str, *, step: int = 3, first_clause: bool = False) -> list[str]:
    segmenter, found = Segmenter(first_clause=first_clause), []
    for start in range(0, len(text), step):
        found += segmenter.push(text[start : start + step])
    return found + segmenter.flush()


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_sentences_whatever_the_pieces(step: int) -> None:
    text = 'Yes. It costs $9.99, Dr. Smith said! "Really?" Come at 7:30 p.m. on Monday.'
    assert segments(text, step=step) == [
        "Yes.",
        "It costs $9.99, Dr. Smith said!",
        '"Really?"',
        "Come at 7:30 p.m. on Monday.",
    ]


def test_the_first_segment_may_be_a_clause() -> None:
    text = "Well, when the weather is good, we could go out. Or stay in, as you like it best."
    assert segments(text, first_clause=True) == [
        "Well, when the weather is good,",
        "we could go out.",
        "Or stay in, as you like it best.",
    ]


def test_a_short_first_clause_is_given_with_its_comma() -> None:
    segmenter = Segmenter()
    assert segmenter.push("I'm sorry") == []
    assert segmenter.push(",") == ["I'm sorry,"]
    assert segmenter.push(" I can't,") == []
    assert segmenter.push(" not now. ") == ["I can't, not now."]


def test_a_very_short_first_clause_and_a_number_are_not_cut() -> None:
    assert segments("Yes, there are 1,500,000 of them.", step=1, first_clause=True) == [
        "Yes, there are 1,500,000 of them."
    ]


def test_a_sentence_is_given_as_soon_as_the_next_begins() -> None:
    segmenter = Segmenter()
    assert segmenter.push("Hello there.") == []
    assert segmenter.push(" How") == ["Hello there."]


def test_a_text_without_an_end_is_cut_at_spaces() -> None:
    found = segments("word " * 200)
    assert all(len(segment) <= MAX_CHARACTERS for segment in found)
    assert " ".join(found).split() == ["word"] * 200


def test_a_word_without_an_end_is_cut_all_the_same() -> None:
    found = segments("x" * 5000)
    assert "".join(found) == "x" * 5000


def test_lines_are_sentences_and_markup_is_not_spoken() -> None:
    assert segments("## Plan\n- **first**\n2. second\n") == ["Plan", "first", "second"]
    assert speakable("a *b* `c`") == "a b c"


def test_nothing_gives_nothing() -> None:
    assert segments("  \n ") == []
    assert segments("") == []


TRYING = {
    "dots": ".",
    "letters with dots": "a. ",
    "numbers": "1. ",
    "line breaks": "\n",
    "quotes": '."',
    "marks of lists": "- ",
    "no spaces": "a",
}


@pytest.mark.parametrize("piece", TRYING.values(), ids=TRYING)
def test_no_reply_holds_up_the_calls(piece: str) -> None:
    # All calls of a gateway wait meanwhile. It takes tens of ms; it took seconds, and minutes.
    began = time.process_time()
    at_once = Segmenter()
    segments = at_once.push(piece * 4000) + at_once.flush()
    streamed = Segmenter()
    for _ in range(2000):
        streamed.push(piece)
    assert time.process_time() - began < 5
    assert all(len(segment) <= WINDOW for segment in segments)


def test_a_text_without_a_space_is_cut_and_nothing_of_it_is_lost() -> None:
    segmenter = Segmenter()
    text = "x" * (2 * WINDOW + 100)
    assert "".join([*segmenter.push(text), *segmenter.flush()]) == text
