"""What is left of an answer when its gateway dies."""

from parley.marks import Mark
from parley_gateway.answering import rest_of
from parley_gateway.state import ReplyState, SegmentState

HELLO = SegmentState(
    text="Hello there.",
    marks=[Mark("Hello", 0, 0, 400), Mark("there.", 6, 500, 900)],
    audio_ms=1000,
    complete=True,
)
HOW = SegmentState(text="How are you?", marks=[Mark("How", 0, 0, 200)], audio_ms=300)


def test_it_goes_on_at_the_word_that_was_not_heard() -> None:
    state = ReplyState(turn=3, segments=[HELLO, HOW], written=False)
    rest = rest_of(state, heard_ms=460)
    assert (rest.prior, rest.text, rest.written) == ("Hello", "there. How are you?", False)


def test_nothing_heard_means_all_of_it() -> None:
    rest = rest_of(ReplyState(turn=3, segments=[HELLO, HOW], written=True), heard_ms=0)
    assert (rest.prior, rest.text, rest.written) == ("", "Hello there. How are you?", True)


def test_a_second_death_keeps_what_was_heard_before_the_first() -> None:
    state = ReplyState(turn=3, heard="Well, hello.", segments=[HOW], written=True)
    assert rest_of(state, heard_ms=0).prior == "Well, hello."
    rest = rest_of(state, heard_ms=250)
    assert (rest.prior, rest.text) == ("Well, hello. How", "are you?")


def test_all_heard_leaves_nothing() -> None:
    rest = rest_of(ReplyState(turn=3, segments=[HELLO], written=True), heard_ms=5000)
    assert (rest.prior, rest.text) == ("Hello there.", "")
