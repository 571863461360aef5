"""Of a reply that is written again, only what nobody has given to the voice is sent."""

import pytest

from parley.messages import ChatMessage
from parley_agent.continuation import Rest, asked_to_go_on

OLD = "Rome is old. It has many churches. You can see the Forum."


def rest(written: str, reply: str, size: int = 1000) -> str:
    """What is sent of `reply`, which comes in pieces of `size` characters."""
    new = Rest(written)
    pieces = [new.push(reply[start : start + size]) for start in range(0, len(reply), size)]
    return "".join(pieces) + new.end()


CASES = [
    # The same again: what comes after.
    (OLD, OLD + " Shall I go on?", "Shall I go on?"),
    ("Well, as far as I know,", "Well, as far as I know, it is Rome.", "it is Rome."),
    ("Rome is old.", 'Rome is old. "Very" old.', '"Very" old.'),
    ("One, two", "One, two—three.", "three."),
    # Nothing comes after, or not even all of it.
    (OLD, OLD, ""),
    (OLD, OLD + "\n", ""),
    (OLD, "Rome is old. It has", ""),
    (OLD, "", ""),
    # Only words count.
    ("It's fun. Say hello.", "**It’s**\n\nFUN! Say “hello.” Then go.", "Then go."),
    ("Two things. Apples. Pears.", "Two things:\n\n1. Apples.\n2. Pears.\n3. Figs.", "3. Figs."),
    ("Two things. Apples.", "Two things:\n\n1. Apples.\n2. Pears.", "2. Pears."),
    ("- Apples\n- Pears", "* Apples\n* Pears\n* Figs", "* Figs"),
    # It departs: from the beginning of that sentence on.
    (OLD, "Rome is old. It has one church. Bye.", "It has one church. Bye."),
    (OLD, "Paris is old. Bye.", "Paris is old. Bye."),
    ("I can", "I cannot do that.", "I cannot do that."),
    ("Ask Dr. Smith.", "Ask Dr. Jones.", "Ask Dr. Jones."),
    ("One. Apples.", "One.\n2. Pears.", "2. Pears."),
    # Where the old text began a sentence, nothing before is said again.
    (
        "It costs five dollars. I can book it.",
        "It costs five dollars and ten cents. Shall I book it?",
        "and ten cents. Shall I book it?",
    ),
    ("It is red, and it is big.", "It is red. Fine. Bye.", "Fine. Bye."),
    # After it departed, what was said is still not said again, but for what was said again.
    (OLD, "Rome is big. It has many churches. Bye.", "Rome is big. Bye."),
    (OLD, "It has many churches. Rome is old. Bye.", "Bye."),
    (OLD, "Rome is big. You can see the Forum from here.", "Rome is big. from here."),
    ("Yes. I do. No.", "Yes. Yes. I do. No.", "Yes."),
    ("Yes.", "Yes. Yes. Yes.", "Yes. Yes."),
    # A model that continues gives the rest alone, or repeats some of it.
    (OLD, " And the Pantheon.", "And the Pantheon."),
    (OLD, " You can see the Forum. And more.", "And more."),
    ("Well, as far as I know,", " it is Rome.", "it is Rome."),
    ("Well, as far as I know,", "as far as I am told.", "as far as I am told."),
    # Nothing was written.
    ("", "  All of it. ", "  All of it. "),
]


@pytest.mark.parametrize(("written", "reply", "expected"), CASES)
def test_what_goes_beyond_the_text_written_before(written: str, reply: str, expected: str) -> None:
    assert rest(written, reply).rstrip() == expected.rstrip()


@pytest.mark.parametrize(("written", "reply", "expected"), CASES)
def test_it_does_not_matter_how_the_reply_is_cut(written: str, reply: str, expected: str) -> None:
    for size in range(1, len(reply)):
        assert rest(written, reply, size) == rest(written, reply)


def test_what_is_new_is_not_held_back() -> None:
    new = Rest("One two.")
    assert [new.push(text) for text in ("One ", "two. ", "Three ", "four", " ", "f")] == [
        "",
        "",
        "Three",
        "",
        " four",
        "",
    ]
    assert new.end() == " f"


def test_without_a_text_written_before_every_piece_passes_as_it_came() -> None:
    new = Rest("")
    assert [new.push(text) for text in ("On", "e ", "two.\n")] == ["On", "e ", "two.\n"]
    assert new.end() == ""


def test_every_new_word_is_given_exactly_once() -> None:
    old = " ".join(f"Old sentence number {one}." for one in range(8))
    new = " ".join(f"New sentence number {one}." for one in range(8))
    mixed = [*old.split(". "), *new.split(". ")]
    reply = ". ".join(mixed[one // 2 + 8 * (one % 2)].rstrip(".") for one in range(16)) + "."
    assert rest(old, reply) == new


def test_a_model_that_would_answer_its_own_reply_is_asked_to_go_on() -> None:
    caller = ChatMessage(role="user", content="Hello.")
    begun = ChatMessage(role="assistant", content="Hello! I")
    assert asked_to_go_on([caller]) == [caller]
    *history, note = asked_to_go_on([caller, begun])
    assert history == [caller, begun]
    assert note.role == "user"
