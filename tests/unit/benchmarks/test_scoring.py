"""What a case is worth."""

from typing import Any

import numpy as np
import pytest

from benchmarks.turns.cases import Case, Kind
from benchmarks.turns.observed import Observation, Reply, lost
from benchmarks.turns.playout import Frame, spans
from benchmarks.turns.scoring import pauses, score, silence_ms, words_doubled, words_wrong
from parley_cli.events import Event

ONSET, END = 100.0, 101.0


def event(at: float, kind: str, **fields: Any) -> Event:
    return Event(at, {"type": kind, **fields})


def talk(turn: int, begin: float, end: float) -> list[Frame]:
    """Frames in real time, of a bot that has sent 160 ms ahead."""
    count = round((end - begin) / 0.02)
    return [Frame(max(begin, begin + 0.02 * one - 0.16), turn, 0.02) for one in range(count)]


def seen(
    kind: Kind,
    frames: list[Frame],
    *events: Event,
    clears: tuple[float, ...] = (),
    turn: int = -1,
) -> Observation:
    case = Case(kind, "a case", np.zeros(16_000, np.int16), human=True)
    return Observation(
        case,
        ONSET,
        END,
        watched_to=103.5,
        turn=turn,
        frames=frames,
        played=spans(frames, clears),
        events=list(events),
    )


def over(kind: Kind, *events: Event, clears: tuple[float, ...] = (), stop: float = 110.0) -> Any:
    """The bot speaks its third turn from long before the onset; nothing is sent after `stop`."""
    frames = [one for one in talk(3, 95.0, 110.0) if one.at <= stop]
    return score(seen(kind, frames, *events, clears=clears, turn=3))


def test_an_answer_is_timed_from_the_end_of_the_turn() -> None:
    found = score(seen(Kind.CLEAR, talk(1, 101.6, 103.0)))
    assert found is not None
    assert found.good
    assert found.response_delivered_ms == pytest.approx(600)
    assert found.response_ms == pytest.approx(640)


def test_an_answer_in_a_pause_is_premature() -> None:
    found = score(seen(Kind.PAUSE, talk(1, 100.5, 100.8) + talk(2, 101.5, 102)))
    assert found is not None
    assert not found.good
    assert "500 ms into the turn" in found.why


def test_no_answer_is_not_good() -> None:
    found = score(seen(Kind.ANSWER, []))
    assert found is not None
    assert (found.good, found.why) == (False, "no answer")


def test_an_interruption_is_yielded_to_at_the_last_frame() -> None:
    stop = event(100.3, "interrupted", turn=3)
    found = over(Kind.INTERRUPTION, stop, clears=(100.3,), stop=100.29)
    assert found.good
    assert found.yield_ms == pytest.approx(280, abs=11)
    assert found.yield_played_ms == pytest.approx(300)


def test_who_speaks_on_does_not_yield() -> None:
    found = over(Kind.INTERRUPTION)
    assert (found.good, found.why) == (False, "not yielded to")


def test_yielding_after_two_seconds_is_not_yielding() -> None:
    stop = event(102.5, "interrupted", turn=3)
    found = over(Kind.INTERRUPTION, stop, clears=(102.5,), stop=102.49)
    assert not found.good
    assert found.yield_ms == pytest.approx(2480, abs=11)


def test_going_on_keeps_the_turn() -> None:
    assert over(Kind.BACKCHANNEL).good


def test_being_cut_off_by_a_backchannel_is_not_good() -> None:
    stop = event(100.4, "interrupted", turn=3)
    found = over(Kind.BACKCHANNEL, stop, clears=(100.4,), stop=100.39)
    assert (found.good, found.why) == (False, "cut off after 400 ms")


@pytest.mark.parametrize(("until", "good"), [(100.6, True), (100.9, False)])
def test_a_tentative_pause_counts_as_keeping_the_turn_if_short(until: float, good: bool) -> None:
    frames = [one for one in talk(3, 95.0, 110.0) if one.at < 100.12]
    frames += talk(3, until, 110.0)
    paused = event(100.12, "paused", turn=3)
    resumed = event(until, "resumed", turn=3, ms=5000)
    observation = seen(Kind.NOISE, frames, paused, resumed, clears=(100.12,), turn=3)
    found = score(observation)
    assert found is not None
    assert found.good is good
    (pause,) = pauses(observation)
    assert pause == pytest.approx((until + 0.04 - 100.12) * 1000)


def test_falling_silent_for_good_is_not_keeping_the_turn() -> None:
    paused = event(100.12, "paused", turn=3)
    found = over(Kind.NOISE, paused, clears=(100.12,), stop=100.11)
    assert not found.good
    assert found.why.startswith("silent for 3380")


def test_silence_is_measured_from_the_onset() -> None:
    frames = talk(3, 95.0, 100.5)
    assert silence_ms(seen(Kind.NOISE, frames, turn=3)) == pytest.approx(2960, abs=1)


def test_a_case_that_was_not_made_has_no_score() -> None:
    assert score(lost(seen(Kind.CLEAR, []).case, "why")) is None


def reply(claimed: str, heard: str) -> Reply:
    script = "The museum opens every morning at nine and closes at six"
    return Reply(script, claimed, np.zeros(0, np.int16), heard=heard)


def test_the_history_is_held_against_the_recording() -> None:
    assert words_wrong(reply("The museum opens every", "The museum opens every")) == 0
    assert words_wrong(reply("The museum opens every morning at", "The museum opens every")) == 2
    assert words_wrong(reply("The museum", "The museum opens every")) == -2


def test_words_said_twice_are_counted() -> None:
    assert words_doubled(reply("The museum opens", "The museum opens")) == 0
    assert words_doubled(reply("The museum opens", "The museum museum opens")) == 1
