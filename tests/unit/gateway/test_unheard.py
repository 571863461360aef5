"""Which of the caller's audio another transcriber gets."""

import pytest

from parley_gateway.unheard import LONGEST_SECONDS, SILENCE_SECONDS, Unheard

RATE = 1000
"""A sample a millisecond, so that positions read as ms."""


class Clock:
    """Stands still unless it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def pcm(begin: int, end: int) -> bytes:
    """Samples that tell their own position."""
    return b"".join((position % 30_000).to_bytes(2, "little") for position in range(begin, end))


def talk(unheard: Unheard, until: int, chunk: int = 20) -> None:
    """Audio arrives, and is sent at once, up to a position."""
    while unheard.end < until:
        clock_of(unheard).now += min(chunk, until - unheard.end) / RATE
        unheard.push(pcm(unheard.end, min(unheard.end + chunk, until)))
        send_all(unheard)


def unheard_audio(position: int = 0) -> Unheard:
    """In virtual time."""
    return Unheard(RATE, position, Clock())


def clock_of(unheard: Unheard) -> Clock:
    assert isinstance(unheard._clock, Clock)
    return unheard._clock


def send_all(unheard: Unheard) -> bytes:
    sent = b""
    while True:
        position, piece = unheard.take(400)
        assert position == unheard.cursor
        if not piece:
            return sent
        unheard.sent(piece)
        sent += piece


def test_audio_is_sent_once_in_order_and_in_pieces_of_any_size() -> None:
    unheard = unheard_audio()
    for end in (7, 20, 100, 101, 700):
        unheard.push(pcm(unheard.end, end))
    assert send_all(unheard) == pcm(0, 700)
    assert send_all(unheard) == b""


def test_what_could_not_be_sent_waits() -> None:
    unheard = unheard_audio()
    unheard.push(pcm(0, 100))
    assert unheard.take(100) == (0, pcm(0, 50))
    unheard.push(pcm(100, 200))
    assert send_all(unheard) == pcm(0, 200)


@pytest.mark.parametrize("end", [3_000, 30_000])
def test_speech_under_way_is_heard_again_from_before_its_onset(end: int) -> None:
    unheard = unheard_audio()
    talk(unheard, 2_600)
    unheard.onset(2_400)
    talk(unheard, end)
    unheard.replay(silent_seconds=0.2)
    assert unheard.cursor == 2_100
    assert send_all(unheard) == pcm(2_100, end)
    assert not unheard.turn_open


def test_what_a_final_covers_is_not_heard_again() -> None:
    unheard = unheard_audio()
    talk(unheard, 1_000)
    unheard.onset(500)
    talk(unheard, 14_000)
    unheard.understood(13_000)
    assert unheard.turn_open
    unheard.replay(silent_seconds=0.2)
    assert send_all(unheard) == pcm(13_000, 14_000)
    assert unheard.understood_ms == 13_000


def test_while_nobody_speaks_what_the_lost_one_may_not_have_heard_is_heard_again() -> None:
    unheard = unheard_audio()
    talk(unheard, 60_000)
    unheard.replay(silent_seconds=1.5)
    assert unheard.cursor == 60_000 - 2_500


def test_what_was_sent_in_a_moment_after_an_outage_is_heard_again_whole() -> None:
    unheard = unheard_audio()
    talk(unheard, 2_000)
    for _ in range(500):  # NATS is away
        clock_of(unheard).now += 0.02
        unheard.push(pcm(unheard.end, unheard.end + 20))
    assert len(send_all(unheard)) == 2 * 10_000
    talk(unheard, 12_200)
    unheard.replay(silent_seconds=0.3)
    assert unheard.cursor <= 2_000
    assert unheard.cursor >= 2_000 - 1_400


def test_a_turn_that_is_over_is_not_heard_again() -> None:
    unheard = unheard_audio()
    talk(unheard, 1_000)
    unheard.onset(400)
    talk(unheard, 3_000)
    unheard.understood(2_900)
    unheard.turn_over()
    unheard.replay(silent_seconds=5)
    assert unheard.cursor == 2_900


def test_a_turn_begun_in_another_gateways_time_is_open() -> None:
    unheard = unheard_audio(position=8_000)
    unheard.turn_under_way()
    assert unheard.turn_open
    unheard.replay(silent_seconds=9)
    assert unheard.cursor == 8_000


def test_memory_is_bounded_but_holds_what_was_not_sent() -> None:
    unheard = unheard_audio()
    talk(unheard, 100_000)
    held = unheard.end - unheard._start
    assert SILENCE_SECONDS * RATE <= held <= SILENCE_SECONDS * RATE + 20
    while unheard.end < 130_000:  # NATS is away
        unheard.push(pcm(unheard.end, unheard.end + 20))
    assert len(send_all(unheard)) == 2 * 30_000
    while unheard.end < 300_000:
        unheard.push(pcm(unheard.end, unheard.end + 20))
    assert len(send_all(unheard)) <= 2 * (LONGEST_SECONDS * RATE + 20)
