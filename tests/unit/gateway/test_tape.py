"""Where sound belongs in a recording, in virtual time."""

import numpy as np
import pytest
from numpy.typing import NDArray

from parley_gateway.tape import BOT, CALLER, Tape

RATE = 8_000
FRAME = RATE // 50
Samples = NDArray[np.int16]


class Recorded:
    """A tape, and what is written of it each half second, as the gateway does."""

    def __init__(self, began: float = 100.0) -> None:
        self.tape = Tape(RATE, began)
        self.began = began
        self.sound = np.zeros((120 * RATE, 2), np.int16)

    def write(self, now: float, *, last: bool = False) -> None:
        for piece in self.tape.take(now, last=last):
            self.sound[piece.start : piece.end, piece.channel] = np.frombuffer(piece.pcm, "<i2")

    def spoken(self, channel: int) -> list[tuple[float, float]]:
        """From when to when (s) it is not silent."""
        loud = np.flatnonzero(np.diff(np.r_[0, self.sound[:, channel] != 0, 0]))
        return [(a / RATE, b / RATE) for a, b in loud.reshape(-1, 2)]


def frame(value: int = 1000) -> bytes:
    return np.full(FRAME, value, "<i2").tobytes()


def say(recorded: Recorded, arrivals: list[tuple[float, int]]) -> None:
    """Frames of the caller's, each with the time (s into the call) of its arrival and its value."""
    written = 0.0
    for at, value in arrivals:
        while at - written >= 0.5:
            written += 0.5
            recorded.write(recorded.began + written)
        recorded.tape.caller(recorded.began + at, frame(value))
    recorded.write(recorded.began + arrivals[-1][0] + 1.0, last=True)


def test_a_steady_caller_is_where_they_were_heard() -> None:
    recorded = Recorded()
    say(recorded, [(1.0 + 0.02 * number, 1000) for number in range(100)])
    assert recorded.spoken(CALLER) == [(0.98, 2.98)]
    assert recorded.spoken(BOT) == []


def test_jitter_does_not_tear_the_callers_words() -> None:
    recorded = Recorded()
    late = [0.0, 0.013, 0.002, 0.03, 0.0, 0.018]
    say(recorded, [(1.0 + 0.02 * n + late[n % 6], 1000) for n in range(200)])
    ((begin, end),) = recorded.spoken(CALLER)
    assert end - begin == pytest.approx(4.0)
    assert begin == pytest.approx(0.98, abs=0.02)


def test_a_network_that_stalls_and_catches_up_moves_nothing() -> None:
    """Three seconds of frames arrive at once: they were said in the three seconds before."""
    recorded = Recorded()
    steady = [(1.0 + 0.02 * n, n + 1) for n in range(100)]
    stalled = [(6.0, n + 101) for n in range(150)]
    after = [(6.0 + 0.02 * n, n + 250) for n in range(1, 101)]
    say(recorded, steady + stalled + after)
    ((begin, end),) = recorded.spoken(CALLER)
    assert (begin, end) == pytest.approx((0.98, 7.98))
    said = recorded.sound[int(0.98 * RATE) : int(7.98 * RATE), CALLER]
    assert (np.diff(said[::FRAME]) == 1).all()  # All of it, in order.


def all_in_order(recorded: Recorded, begin: float, count: int) -> bool:
    """Whether so many frames of the caller's, numbered from 1, follow each other from there on."""
    ((first, _),) = recorded.spoken(CALLER)
    assert first == pytest.approx(begin)
    said = recorded.sound[round(first * RATE) :, CALLER][: count * FRAME].reshape(-1, FRAME)
    return bool((said == np.arange(1, count + 1)[:, None]).all())


def test_a_call_whose_first_audio_is_late_and_catches_up_loses_none_of_it() -> None:
    recorded = Recorded()
    late = [(1.4 + 0.02 * n, n + 1) for n in range(75)]
    caught_up = [(2.9, n + 1) for n in range(75, 95)]
    after = [(1.0 + 0.02 * n, n + 1) for n in range(95, 200)]
    say(recorded, late + caught_up + after)
    assert all_in_order(recorded, 0.98, 200)


def test_a_network_that_is_late_for_a_while_tears_nothing() -> None:
    recorded = Recorded()
    lateness = [0.3 if 100 <= n < 150 else 0.0 for n in range(250)]
    say(recorded, [(1.0 + 0.02 * n + late, n + 1) for n, late in enumerate(lateness)])
    assert all_in_order(recorded, 0.98, 250)


def test_what_a_resumed_call_brings_over_a_slow_network_stays_in_one_piece() -> None:
    """Four seconds that were said before 10.0 s; it takes more than a second to bring them."""
    recorded = Recorded()
    say(recorded, [(max(10.0 + 0.005 * n, 6.02 + 0.02 * n), n + 1) for n in range(400)])
    assert all_in_order(recorded, 6.0, 400)


def test_a_network_that_never_catches_up_is_not_waited_for_without_end() -> None:
    """The caller sends a little faster than they speak, for half a minute."""
    recorded = Recorded()
    for number in range(1700):
        recorded.tape.caller(recorded.began + 20.0 + 0.018 * number, frame())
    assert recorded.tape.take(recorded.began + 20.0 + 0.018 * 1700)


def test_a_caller_who_sends_nothing_for_a_while_leaves_silence() -> None:
    recorded = Recorded()
    before = [(1.0 + 0.02 * n, 1000) for n in range(50)]
    after = [(5.0 + 0.02 * n, 2000) for n in range(50)]
    say(recorded, before + after)
    assert recorded.spoken(CALLER) == [(0.98, 1.98), (4.98, 5.98)]


def test_what_a_resumed_call_brings_lies_before_its_arrival() -> None:
    recorded = Recorded()
    say(recorded, [(10.0, 1000)] * 200)
    assert recorded.spoken(CALLER) == [(6.0, 10.0)]
    early = Recorded()
    say(early, [(1.0, 1000)] * 200)
    assert early.spoken(CALLER) == [(0.0, 1.0)]  # It cannot begin before the recording does.


def bot(recorded: Recorded, at: float, frames: int, value: int = 1000, lead: int = 8) -> None:
    """So many frames, paced as the gateway does: some ahead of the ear."""
    for number in range(frames):
        recorded.tape.bot(recorded.began + at + max(number - lead, 0) * 0.02, frame(value))


def test_the_bot_is_where_the_ear_hears_it_not_where_it_was_sent() -> None:
    recorded = Recorded()
    bot(recorded, 1.0, 50)
    recorded.write(recorded.began + 3.0, last=True)
    assert recorded.spoken(BOT) == [(1.0, 2.0)]


def test_an_interrupt_takes_back_what_was_not_heard_even_if_it_is_written() -> None:
    for write_before in (False, True):
        recorded = Recorded()
        bot(recorded, 1.0, 33)  # The last was sent at 1.5 s, for the ear at 1.64 s.
        if write_before:
            recorded.write(recorded.began + 1.5)
        recorded.tape.clear(recorded.began + 1.51)
        recorded.write(recorded.began + 3.0, last=True)
        assert recorded.spoken(BOT) == [(1.0, 1.51)]


def test_a_pause_is_silence_and_then_the_word_again() -> None:
    recorded = Recorded()
    bot(recorded, 1.0, 33, value=1000)
    recorded.tape.clear(recorded.began + 1.52)
    bot(recorded, 2.0, 20, value=2000)
    recorded.write(recorded.began + 3.0, last=True)
    assert recorded.spoken(BOT) == [(1.0, 1.52), (2.0, 2.4)]
    assert recorded.sound[int(2.1 * RATE), BOT] == 2000


def test_a_tick_that_is_late_by_a_hair_tears_nothing() -> None:
    recorded = Recorded()
    for number in range(100):
        recorded.tape.bot(recorded.began + 1.0 + number * 0.02 + 0.004 * (number % 3), frame())
    recorded.write(recorded.began + 4.0, last=True)
    ((begin, end),) = recorded.spoken(BOT)
    assert (begin, end) == pytest.approx((1.0, 3.0), abs=0.01)
