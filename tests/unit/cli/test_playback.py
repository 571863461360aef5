import numpy as np
import pytest

from parley_cli.playback import LIMIT_SECONDS, Playback

RATE = 1000  # a sample is a millisecond
START = 50.0


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now

    def at_ms(self, ms: float) -> None:
        self.now = START + ms / 1000 + 1e-9


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def playback(clock: Clock) -> Playback:
    return Playback(RATE, clock, jitter_ms=40)


def tone(ms: int, value: int = 5) -> np.ndarray:
    return np.full(ms, value, np.int16)


def test_silence_until_something_comes(playback: Playback, clock: Clock) -> None:
    clock.at_ms(100)
    played = playback.advance()
    assert len(played) == 100 and not played.any()
    assert playback.report() is None


def test_speech_begins_after_the_jitter_delay(playback: Playback, clock: Clock) -> None:
    clock.at_ms(100)
    playback.begin(1)
    playback.push(tone(20))
    clock.at_ms(200)
    playback.advance()
    assert np.flatnonzero(playback.recording).tolist() == list(range(140, 160))
    assert playback.begun[1] == pytest.approx(START + 0.140)
    assert playback.ended[1] == pytest.approx(START + 0.160)
    assert playback.report() == (1, 20.0)


def test_frames_in_time_play_without_a_gap(playback: Playback, clock: Clock) -> None:
    for number in range(10):
        clock.at_ms(number * 20 + (7 if number % 2 else 0))
        playback.push(tone(20))
    clock.at_ms(500)
    playback.advance()
    assert np.flatnonzero(playback.recording).tolist() == list(range(40, 240))
    assert playback.gaps == []


def test_late_audio_is_an_audible_gap(playback: Playback, clock: Clock) -> None:
    playback.begin(3)
    playback.push(tone(20))
    clock.at_ms(100)
    playback.push(tone(20))
    clock.at_ms(300)
    playback.advance()
    assert np.flatnonzero(playback.recording).tolist() == [*range(40, 60), *range(140, 160)]
    (gap,) = playback.gaps
    assert gap.turn == 3 and gap.ms == pytest.approx(80)


def test_a_pause_between_turns_is_no_gap(playback: Playback, clock: Clock) -> None:
    playback.begin(1)
    playback.push(tone(20))
    clock.at_ms(1000)
    playback.begin(2)
    playback.push(tone(20))
    assert playback.gaps == []


def test_clear_drops_what_is_not_yet_played(playback: Playback, clock: Clock) -> None:
    playback.begin(1)
    playback.push(tone(200))
    clock.at_ms(90)
    playback.clear()
    clock.at_ms(400)
    playback.advance()
    assert np.flatnonzero(playback.recording).tolist() == list(range(40, 90))
    assert playback.report() == (1, 50.0)
    assert not playback.playing


def test_queued_turns_are_told_apart(playback: Playback, clock: Clock) -> None:
    playback.begin(1)
    playback.push(tone(30, 1))
    playback.begin(2)
    playback.push(tone(30, 2))
    clock.at_ms(60)
    playback.advance()
    assert playback.report() == (1, 20.0)
    clock.at_ms(85)
    playback.advance()
    assert playback.report() == (2, 15.0)


def test_a_stalled_clock_loses_nothing(playback: Playback, clock: Clock) -> None:
    playback.push(tone(100))
    clock.at_ms(5000)
    playback.advance()
    assert len(playback.recording) == 5000
    assert np.count_nonzero(playback.recording) == 100


def test_the_buffer_is_bounded(playback: Playback) -> None:
    playback.push(tone(LIMIT_SECONDS * RATE))
    playback.push(tone(20))
    assert playback.dropped_samples == 20


def test_held_audio_plays_on_from_where_it_was_stopped(playback: Playback, clock: Clock) -> None:
    playback.begin(1)
    playback.push(tone(200))
    clock.at_ms(90)
    assert playback.hold() == (1, 50.0)
    clock.at_ms(130)
    playback.release()
    clock.at_ms(400)
    playback.advance()
    assert np.flatnonzero(playback.recording).tolist() == [*range(40, 90), *range(130, 280)]
    assert playback.report() == (1, 200.0)


def test_held_audio_that_comes_again_is_dropped(playback: Playback, clock: Clock) -> None:
    playback.begin(1)
    playback.push(tone(200, 1))
    clock.at_ms(90)
    playback.hold()
    playback.restart()
    assert playback.hold() == (1, 0.0), "the turn is counted from where it goes on"
    playback.begin(1)
    playback.push(tone(150, 2))
    clock.at_ms(400)
    playback.advance()
    assert np.flatnonzero(playback.recording == 1).tolist() == list(range(40, 90))
    assert np.count_nonzero(playback.recording == 2) == 150
    assert playback.report() == (1, 150.0)


def test_only_the_current_turn_is_held(playback: Playback, clock: Clock) -> None:
    playback.begin(1)
    playback.push(tone(100, 1))
    playback.begin(2)
    playback.push(tone(100, 2))
    clock.at_ms(60)
    assert playback.hold() == (2, 0.0)
    clock.at_ms(300)
    playback.restart()
    playback.advance()
    assert np.flatnonzero(playback.recording == 1).tolist() == list(range(40, 140))
    assert not (playback.recording == 2).any()


def test_a_turn_that_is_over_is_not_held(playback: Playback, clock: Clock) -> None:
    playback.begin(1)
    playback.push(tone(100))
    playback.end(1)
    clock.at_ms(60)
    assert playback.hold() == (1, 100.0)
    playback.restart()
    clock.at_ms(300)
    playback.advance()
    assert np.flatnonzero(playback.recording).tolist() == list(range(40, 140))


def test_after_a_pause_the_turn_is_counted_from_where_it_goes_on(
    playback: Playback, clock: Clock
) -> None:
    playback.begin(1)
    playback.push(tone(200, 1))
    clock.at_ms(140)
    playback.clear()
    assert playback.report() == (1, 100.0)
    clock.at_ms(500)
    playback.begin(1, ms=70.0)
    assert playback.report() == (1, 70.0)
    playback.push(tone(130, 2))
    clock.at_ms(600)
    playback.advance()
    assert np.flatnonzero(playback.recording == 1).tolist() == list(range(40, 140))
    assert np.flatnonzero(playback.recording == 2).tolist() == list(range(540, 600))
    assert playback.report() == (1, 130.0)
    assert playback.hold() == (1, 130.0)
    playback.restart()
    assert playback.hold() == (1, 0.0), "another connection counts anew"


def test_a_turn_that_is_paused_before_it_was_heard(playback: Playback, clock: Clock) -> None:
    playback.begin(1)
    playback.push(tone(20))
    clock.at_ms(30)
    playback.clear()
    playback.begin(1, ms=0.0)
    assert playback.hold() == (1, 0.0)


def test_a_pause_is_no_gap_but_late_audio_after_it_is(playback: Playback, clock: Clock) -> None:
    playback.begin(1)
    playback.push(tone(100))
    clock.at_ms(100)
    playback.clear()
    clock.at_ms(400)
    playback.begin(1, ms=60.0)
    playback.push(tone(40))
    clock.at_ms(470)
    playback.push(tone(40))
    assert playback.gaps == []
    clock.at_ms(560)
    playback.push(tone(40))
    (gap,) = playback.gaps
    assert gap.turn == 1 and gap.ms == pytest.approx(80)


def test_before_the_first_turn_there_is_nothing_to_hold(playback: Playback) -> None:
    assert playback.hold() is None


def test_without_a_recording(clock: Clock) -> None:
    playback = Playback(RATE, clock, record=False)
    clock.at_ms(100)
    assert len(playback.advance()) == 100
    assert len(playback.recording) == 0


def test_the_loudspeaker_gets_all_that_is_played_in_order(playback: Playback, clock: Clock) -> None:
    heard: list[np.ndarray] = []
    playback.speaker = heard.append
    for number in range(10):
        clock.at_ms(number * 20 + 3)
        playback.push(tone(20, value=number + 1))
        clock.at_ms(number * 20 + 13)
        playback.advance()
    playback.clear()
    assert np.concatenate(heard).tolist() == playback.recording.tolist()
    assert playback.recording.any()
