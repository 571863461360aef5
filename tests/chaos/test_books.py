"""The books themselves: they find what is wrong, and nothing else."""

from collections.abc import Callable

import pytest

from benchmarks.chaos.books import Difference, Quiet, audit, check_ear, compare, phrases
from benchmarks.chaos.take import Take
from parley_cli.events import Event

REPLY = "The museum opens at nine. On Mondays it is closed."
QUESTION = "What do you know about the museum?"
SECOND = "And the garden?"
QUIET = Quiet(
    user=[
        ["what", "do", "you", "know", "about", "the", "museum", "and", "the", "garden"],
        ["what", "do", "you", "know", "about", "a", "museum", "and", "the", "garden"],
    ],
    reply=REPLY,
    waiting_ms=0.0,
)


def heard(message: str, is_final: bool = True) -> dict[str, object]:
    return {"type": "transcription", "message": message, "is_final": is_final}


def reply(text: str, turn: int = 1, **fields: object) -> dict[str, object]:
    return {"type": "reply", "text": text, "turn": turn, **fields}


def spoken(text: str, turn: int, cut_off: bool = False) -> dict[str, object]:
    return {"type": "spoken", "text": text, "turn": turn, "cut_off": cut_off}


def good() -> list[dict[str, object]]:
    return [
        heard("What do", is_final=False),
        heard(QUESTION),
        reply("The museum opens at nine. "),
        reply("On Mondays it is closed."),
        spoken(REPLY, 1),
        heard(SECOND),
        spoken("The museum opens", 2, cut_off=True),
    ]


def take(events: list[dict[str, object]], barge_in: bool = False) -> Take:
    return Take(barge_in, 16_000, [Event(float(at), one) for at, one in enumerate(events)])


@pytest.mark.parametrize(
    ("got", "difference"),
    [
        ("one two three four", Difference()),
        ("one three four", Difference(lost=1)),
        ("one two two three four", Difference(doubled=1)),
        ("one two three four one two three four", Difference(doubled=4)),
        ("", Difference(lost=4)),
        ("one two free four", Difference(changed=1)),
        ("one two elephants four", Difference(lost=1, doubled=1)),
        ("one twothree four", Difference(lost=1, changed=1)),
    ],
)
def test_words_are_lost_doubled_or_changed(got: str, difference: Difference) -> None:
    assert compare(["one", "two", "three", "four"], got.split()) == difference


def test_a_recogniser_mishears_words_but_not_phrases() -> None:
    said = ["the", "museum", "opens", "at", "nine", "on", "mondays", "it", "is", "closed"]
    misheard = ["the", "museum", "opens", "at", "night", "and", "mondays", "it", "is", "closed"]
    assert phrases(said, misheard) == Difference()
    assert phrases(said, said[:5]) == Difference(lost=5)
    assert phrases(said, said[:5] + said) == Difference(doubled=5)


def test_a_call_as_quiet_ones_are_is_balanced() -> None:
    books = audit(take(good()), QUIET)
    assert books.balanced, books
    assert books.user == books.reply == Difference()


def test_it_may_be_recognised_as_in_any_quiet_call() -> None:
    events = good()
    events[1] = heard(QUESTION.replace("the", "a"))
    assert audit(take(events), QUIET).user == Difference()


def without_a_user_word(events: list[dict[str, object]]) -> None:
    events[1] = heard("What do you know the museum?")


def with_a_user_word_twice(events: list[dict[str, object]]) -> None:
    events[1] = heard("What do you know about about the museum?")


def with_the_question_twice(events: list[dict[str, object]]) -> None:
    events.insert(2, heard(QUESTION))


def with_a_part_of_the_answer(events: list[dict[str, object]]) -> None:
    events[4] = spoken("The museum opens at nine.", 1)


def with_a_sentence_twice(events: list[dict[str, object]]) -> None:
    events[4] = spoken("The museum opens at nine. " + REPLY, 1)


def with_the_answer_cut_off(events: list[dict[str, object]]) -> None:
    events[4] = spoken(REPLY, 1, cut_off=True)


def with_three_answers(events: list[dict[str, object]]) -> None:
    events.append(spoken("The museum", 3))


def with_one_answer(events: list[dict[str, object]]) -> None:
    del events[-1]


def with_a_turn_settled_twice(events: list[dict[str, object]]) -> None:
    events.insert(5, spoken("", 1))


def with_the_end_first(events: list[dict[str, object]]) -> None:
    events[-1] = spoken("On Mondays", 2, cut_off=True)


def with_the_text_written_twice(events: list[dict[str, object]]) -> None:
    events.insert(3, reply("The museum opens at nine. "))


@pytest.mark.parametrize(
    "harm",
    [
        without_a_user_word,
        with_a_user_word_twice,
        with_the_question_twice,
        with_a_part_of_the_answer,
        with_a_sentence_twice,
        with_the_answer_cut_off,
        with_three_answers,
        with_one_answer,
        with_a_turn_settled_twice,
        with_the_end_first,
        with_the_text_written_twice,
    ],
)
def test_what_is_wrong_is_found(harm: Callable[[list[dict[str, object]]], None]) -> None:
    events = good()
    harm(events)
    assert not audit(take(events), QUIET).balanced


def test_text_that_is_begun_anew_replaces_what_was_written() -> None:
    events = good()
    events.insert(2, reply("The museum is "))
    events.insert(3, reply("", restart=True))
    assert audit(take(events), QUIET).balanced


READY = {"type": "ready", "resumed": True}


@pytest.mark.parametrize(
    ("rest", "balanced"),
    [
        ("nine. On Mondays it is closed.", True),
        ("On Mondays it is closed.", True),
        ("Mondays it is closed.", False),
        ("nine. On Mondays it closed.", False),
        (f"{REPLY} It is closed.", False),
    ],
)
def test_after_a_resume_the_client_is_told_what_is_still_to_be_spoken(
    rest: str, balanced: bool
) -> None:
    events = good()
    events[3:4] = [READY, reply(rest)]
    assert audit(take(events), QUIET).balanced is balanced


def test_a_barge_in_cuts_the_first_answer_off_and_the_second_is_whole() -> None:
    cut_off, whole = spoken("The museum opens", 1, cut_off=True), spoken(REPLY, 2)
    events = [heard(QUESTION), cut_off, heard(SECOND), reply(REPLY, 2), whole]
    assert audit(take(events, barge_in=True), QUIET).balanced
    assert not audit(take(events), QUIET).balanced


def test_the_transcript_must_be_what_was_said() -> None:
    call = take(good())
    call.history = [
        {"speaker": "human", "text": QUESTION},
        {"speaker": "bot", "text": REPLY},
        {"speaker": "human", "text": SECOND},
        {"speaker": "bot", "text": "The museum opens"},
    ]
    assert audit(call, QUIET).balanced
    del call.history[2]
    (finding,) = audit(call, QUIET).findings
    assert "human" in finding


def test_the_recording_must_hold_what_was_spoken() -> None:
    call = take(good())
    assert not check_ear(call, REPLY + " The museum opens")
    assert not check_ear(call, REPLY.replace("nine", "night") + " The museum")
    assert check_ear(call, "The museum opens at nine. The museum opens")
    assert check_ear(call, REPLY + " On Mondays it is closed. The museum opens")
