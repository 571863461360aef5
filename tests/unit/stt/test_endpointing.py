"""Endpointing in audio time: '#' is a voiced window, '.' a silent one, of 32 ms each."""

import pytest

from parley_stt.endpointing import WINDOW_MS, Endpointer, Event, Onset, Pause, TurnOver, Voice

LEVELS = {"#": 0.9, "~": 0.4, ".": 0.05}


def hear(picture: str, endpointing_ms: float = 640, turn_open: bool = False) -> list[Event]:
    endpointer = Endpointer(endpointing_ms, turn_open)
    events: list[Event] = []
    for index, level in enumerate(picture):
        events += endpointer.push(LEVELS[level], index * WINDOW_MS)
    return events


def without_voice(events: list[Event]) -> list[Event]:
    return [event for event in events if not isinstance(event, Voice)]


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
    assert hear("." * 10 + click + "." * 200, turn_open=True) == [TurnOver(640)]


def test_a_turn_that_is_open_from_the_beginning_goes_on_with_speech() -> None:
    events = without_voice(hear("." * 10 + "#####" + "." * 25, turn_open=True))
    assert events == [Onset(320), Pause(480), TurnOver(480 + 640)]


def test_speech_may_go_on_from_the_first_moment() -> None:
    events = without_voice(hear("#####" + "." * 25, turn_open=True))
    assert events == [Onset(0), Pause(160), TurnOver(160 + 640)]
