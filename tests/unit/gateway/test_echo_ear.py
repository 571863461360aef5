"""What the ear hears, and when the microphone's samples were taken: with made-up clocks."""

import random
from itertools import pairwise

import numpy as np

from parley_gateway.echo.ear import KEPT_SECONDS, EarTrack
from parley_gateway.echo.microphone import LATE_SECONDS, MicClock

RATE = 16_000
FRAME = RATE // 50


def ramp(start: int, count: int) -> np.ndarray:
    return np.arange(start, start + count, dtype=np.int16)


def frames(samples: np.ndarray) -> list[bytes]:
    return [samples[i : i + FRAME].tobytes() for i in range(0, len(samples), FRAME)]


# --- The ear


def test_the_ear_hears_silence_where_there_is_nothing() -> None:
    ear = EarTrack(RATE)
    assert not ear.take(0, 100).any()
    ear.play(10.0, ramp(1, 320).tobytes())
    around = ear.take(10 * RATE - 100, 520)
    assert not around[:100].any()
    assert np.array_equal(around[100:420], ramp(1, 320))
    assert not around[420:].any()


def test_frames_delivered_ahead_and_late_are_heard_without_a_seam() -> None:
    ear, said, jitter = EarTrack(RATE), ramp(1, 20_000), random.Random(1)
    for number, frame in enumerate(frames(said)):
        ear.play(50.0 + max(0.0, number * 0.02 - 0.16) + jitter.uniform(0, 0.01), frame)
        if number == 0:
            begin = int(np.flatnonzero(ear.take(50 * RATE, FRAME))[0]) + 50 * RATE
    assert np.array_equal(ear.take(begin, len(said)), said)


def test_times_of_hearing_that_are_rounded_make_no_seam_either() -> None:
    ear, said, jitter = EarTrack(RATE), ramp(1, 20_000), random.Random(2)
    for number, frame in enumerate(frames(said)):
        ear.play(50.0 + number * 0.02 + jitter.uniform(-0.002, 0.002) * (number > 0), frame)
    assert np.array_equal(ear.take(50 * RATE, len(said)), said)


def test_what_comes_after_the_ear_ran_dry_is_heard_when_it_comes() -> None:
    ear = EarTrack(RATE)
    ear.play(1.0, ramp(1, FRAME).tobytes())
    ear.play(1.5, ramp(1000, FRAME).tobytes())
    assert not ear.take(RATE + FRAME, RATE // 2 - FRAME).any()
    assert np.array_equal(ear.take(RATE * 3 // 2, FRAME), ramp(1000, FRAME))


def test_what_is_cleared_is_not_heard_and_what_follows_comes_at_once() -> None:
    ear = EarTrack(RATE)
    ear.play(1.0, ramp(1, 10 * FRAME).tobytes())
    ear.cut(1.1)
    ear.cut(1.15)
    ear.play(1.12, ramp(5000, FRAME).tobytes())
    heard = ear.take(RATE, 10 * FRAME)
    assert np.array_equal(heard[: 5 * FRAME], ramp(1, 5 * FRAME))
    assert not heard[5 * FRAME : 6 * FRAME].any()
    assert np.array_equal(heard[6 * FRAME : 7 * FRAME], ramp(5000, FRAME))
    assert not heard[7 * FRAME :].any()


def test_clearing_long_after_changes_nothing() -> None:
    ear = EarTrack(RATE)
    ear.play(1.0, ramp(1, FRAME).tobytes())
    ear.cut(9.0)
    assert np.array_equal(ear.take(RATE, FRAME), ramp(1, FRAME))


def test_only_the_last_seconds_are_kept() -> None:
    ear, kept = EarTrack(RATE), int(KEPT_SECONDS * RATE)
    for second in range(8):
        ear.play(100.0 + second, np.full(RATE, second + 1, np.int16).tobytes())
    assert not ear.take(108 * RATE - kept - RATE, RATE).any()
    assert ear.take(108 * RATE - kept, kept).all()
    ear.play(500.0, ramp(1, FRAME).tobytes())
    assert not ear.take(500 * RATE - kept, kept).any()


# --- The microphone


def taken(clock: MicClock, chunks: list[float]) -> list[int]:
    """The positions, in ms, of chunks of 20 ms that came at those times."""
    return [round(clock.take(FRAME, at) * 1000 / RATE) for at in chunks]


def test_positions_count_samples_whatever_the_network_does() -> None:
    jitter = random.Random(3)
    came = [10.0 + 0.02 * n + jitter.uniform(0, 0.015) for n in range(200)]
    positions = taken(MicClock(RATE), came)
    assert [b - a for a, b in pairwise(positions)] == [20] * 199
    assert abs(positions[0] - 9_990) <= 10


def test_a_first_chunk_that_was_late_is_found_out() -> None:
    positions = taken(MicClock(RATE), [10.1, *(10.02 + 0.02 * n for n in range(20))])
    assert positions[0] == 10_080
    assert abs(positions[-1] - (10_000 + 19 * 20)) <= 20


def test_a_network_that_stalls_and_catches_up_moves_nothing() -> None:
    before = [10.0 + 0.02 * n for n in range(50)]
    stalled = [11.4] * 20
    after = [11.4 + 0.02 * n for n in range(50)]
    positions = taken(MicClock(RATE), before + stalled + after)
    assert [b - a for a, b in pairwise(positions)] == [20] * 119


def test_after_a_microphone_was_off_positions_follow_arrival_again() -> None:
    on_again = [15.0 + 0.02 * n for n in range(60)]
    positions = taken(MicClock(RATE), [10.0 + 0.02 * n for n in range(50)] + on_again)
    settled = 50 + int(LATE_SECONDS / 0.02) + 2
    assert positions[50] < 11_100
    assert abs(positions[settled] - (on_again[settled - 50] * 1000 - 20)) <= 20


def test_a_clock_that_drifts_is_followed() -> None:
    for speed in (0.999, 1.001):
        clock, came = MicClock(RATE), [10.0 + 0.02 * speed * n for n in range(10_000)]
        positions = taken(clock, came)
        errors = [p - (at * 1000 - 20) for p, at in zip(positions, came, strict=True)]
        assert max(map(abs, errors)) <= 45


def test_audio_sent_again_all_at_once_does_not_run_ahead_of_time() -> None:
    clock = MicClock(RATE)
    for _ in range(450):
        last = clock.take(FRAME, 20.0)
    assert last <= 20 * RATE
