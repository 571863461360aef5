"""Endpointing in audio time: '#' is a voiced window, '.' a silent one, of 32 ms each."""

import pytest

from parley_stt.endpointing import (
    WINDOW_MS,
    Endpointer,
    Event,
    GoesOn,
    Hush,
    Onset,
    Pause,
    TurnOver,
    Voice,
)

LEVELS = {"#": 0.9, "~": 0.4, ".": 0.05}


def hear(picture: str, endpointing_ms: float = 640, turn_open: bool = False) -> list[Event]:
    endpointer = Endpointer(endpointing_ms, turn_open)
    events: list[Event] = []
    for index, level in enumerate(picture):
        events += endpointer.push(LEVELS[level], index * WINDOW_MS)
    return events


def without_voice(events: list[Event]) -> list[Event]:
    return [event for event in events if not isinstance(event, Voice | Hush | GoesOn)]


def test_a_whole_turn() -> None:
    events = without_voice(hear("." * 10 + "#" * 10 + "." * 25))
    assert events == [Onset(320), Pause(640), TurnOver(640 + 640)]


@pytest.mark.parametrize("click", ["#", "##", "#.#", "#...#...#"])
def test_a_click_is_not_speech(click: str) -> None:
    assert hear("." * 5 + click + "." * 30) == []


@pytest.mark.parametrize("onset", ["###", "#.##", "##.#"])
def test_the_onset_is_the_first_voiced_window(onset: str) -> None:
    assert hear("." * 5 + onset)[0] == Onset(160)


def test_speech_is_confirmed_within_four_windows() -> None:
    assert hear("." * 5 + "##") == []
    assert Onset(160) in hear("." * 5 + "###")


def test_a_weak_voice_goes_on_but_does_not_begin() -> None:
    assert hear("~" * 20) == []
    assert without_voice(hear("###" + "~" * 20)) == [Onset(0)]


def test_progress_counts_voice_only() -> None:
    events = hear("###" + "..." + "######")
    assert [event.speech_ms for event in events if isinstance(event, Voice)] == [96, 192, 288]


def test_a_short_gap_is_not_a_pause() -> None:
    assert without_voice(hear("#####.....#####")) == [Onset(0)]


def test_speech_that_goes_on_continues_the_turn() -> None:
    events = without_voice(hear("#####" + "." * 10 + "#####" + "." * 25))
    assert events == [Onset(0), Pause(160), Onset(480), Pause(640), TurnOver(640 + 640)]


def test_a_click_does_not_make_the_turn_longer() -> None:
    events = without_voice(hear("#####" + "." * 10 + "#" + "." * 20))
    assert events == [Onset(0), Pause(160), TurnOver(160 + 640)]


def test_speech_in_the_last_moment_keeps_the_turn_open() -> None:
    events = without_voice(hear("#####" + "." * 19 + "####" + "." * 25))
    assert [type(event) for event in events] == [Onset, Pause, Onset, Pause, TurnOver]


def test_a_click_in_the_last_moment_delays_the_end_by_the_confirmation() -> None:
    events = without_voice(hear("#####" + "." * 19 + "#" + "." * 25))
    assert events[-1] == TurnOver(160 + 640 + 4 * 32)


def test_endpointing_shorter_than_a_pause() -> None:
    events = without_voice(hear("#####" + "." * 10, endpointing_ms=100))
    assert events == [Onset(0), Pause(160), TurnOver(160 + 128)]


def test_silence_alone_ends_no_turn() -> None:
    assert hear("." * 200) == []


def test_the_next_turn_is_like_the_first() -> None:
    picture = "#####" + "." * 25
    kinds = [type(event) for event in without_voice(hear(picture * 2))]
    assert kinds == [Onset, Pause, TurnOver] * 2


@pytest.mark.parametrize("click", ["", "#", "#..#"])
def test_a_turn_that_is_open_from_the_beginning_ends_without_voice(click: str) -> None:
    events = hear("." * 10 + click + "." * 200, turn_open=True)
    assert without_voice(events) == [TurnOver(640)]


def test_a_turn_that_is_open_from_the_beginning_goes_on_with_speech() -> None:
    events = without_voice(hear("." * 10 + "#####" + "." * 25, turn_open=True))
    assert events == [Onset(320), Pause(480), TurnOver(480 + 640)]


def test_speech_may_go_on_from_the_first_moment() -> None:
    events = without_voice(hear("#####" + "." * 25, turn_open=True))
    assert events == [Onset(0), Pause(160), TurnOver(160 + 640)]


def hushes(events: list[Event]) -> list[Event]:
    return [event for event in events if not isinstance(event, Voice | TurnOver)]


def test_the_words_of_short_speech_are_looked_at_before_it_has_stopped() -> None:
    assert hear("####" + "..") == [Onset(0), Voice(96)]
    assert hushes(hear("####" + "...")) == [Onset(0), Hush(128)]
    assert hushes(hear("####" + "......")) == [Onset(0), Hush(128), Pause(128)]


def test_short_speech_may_go_on_after_a_hush() -> None:
    events = hushes(hear("####" + "..." + "##" + "......"))
    assert events == [Onset(0), Hush(128), GoesOn(), Hush(288), Pause(288)]


def test_a_long_turn_has_no_hush_before_its_pauses() -> None:
    picture = "#" * 157 + "....." + "#" + "......" + "###" + "......"
    assert hushes(hear(picture)) == [
        Onset(0), Pause(5216), Hush(5216), Onset(5408), Pause(5504), Hush(5504)
    ]  # fmt: skip


def test_the_next_turn_is_short_again() -> None:
    events = hushes(hear("#" * 25 + "." * 25 + "####" + "..."))
    assert events[-2:] == [Onset(1600), Hush(1728)]


def hear_and_wait(picture: str, silence_ms: float) -> list[Event]:
    """At a '|', the silence to be waited for in this pause becomes known."""
    endpointer = Endpointer(640)
    events: list[Event] = []
    for index, level in enumerate(picture.replace("|", "")):
        if picture.index("|") == index:
            endpointer.wait(silence_ms)
        events += endpointer.push(LEVELS[level], index * WINDOW_MS)
    return without_voice(events)


@pytest.mark.parametrize(("silence_ms", "end_ms"), [(320, 160 + 320), (960, 160 + 960)])
def test_how_long_to_wait_may_become_known_in_the_pause(silence_ms: float, end_ms: float) -> None:
    events = hear_and_wait("#####" + "." * 7 + "|" + "." * 50, silence_ms)
    assert events == [Onset(0), Pause(160), TurnOver(end_ms)]


def test_what_is_known_late_ends_the_turn_at_once() -> None:
    events = hear_and_wait("#####" + "." * 15 + "|" + "." * 50, 320)
    assert events[-1] == TurnOver(160 + 16 * 32)


def test_what_was_known_of_a_pause_is_forgotten_with_the_next_voice() -> None:
    events = hear_and_wait("#####" + "." * 7 + "|" + "###" + "." * 50, 320)
    assert events[-1] == TurnOver(15 * 32 + 640)


def test_a_turn_that_others_have_ended_is_over() -> None:
    endpointer = Endpointer(320)
    for index in range(10):
        endpointer.push(0.9, index * WINDOW_MS)
    endpointer.end_turn()
    silence = [endpointer.push(0.0, (10 + index) * WINDOW_MS) for index in range(30)]
    assert not any(isinstance(event, TurnOver) for events in silence for event in events)


def test_more_voice_opens_the_next_turn() -> None:
    endpointer = Endpointer(320)
    for index in range(10):
        endpointer.push(0.9, index * WINDOW_MS)
    endpointer.end_turn()
    events: list[Event] = []
    for index in range(3):
        events += endpointer.push(0.9, (10 + index) * WINDOW_MS)
    for index in range(10):
        events += endpointer.push(0.0, (13 + index) * WINDOW_MS)
    assert events[-1] == TurnOver(23 * 32)
