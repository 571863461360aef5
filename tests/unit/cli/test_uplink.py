import numpy as np
import pytest

from parley_cli.reconnect import ATTEMPT_SECONDS
from parley_cli.uplink import AHEAD_SECONDS, KEPT_SECONDS, OFFERED_SECONDS, Uplink

RATE = 1000  # a sample is a millisecond


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def uplink(clock: Clock) -> Uplink:
    return Uplink(RATE, 2, clock)


def numbers(start: int, stop: int) -> bytes:
    return np.arange(start, stop, dtype="<i2").tobytes()


def taken(uplink: Uplink) -> list[int]:
    audio = b""
    while piece := uplink.take():
        audio += piece
    return [int(sample) for sample in np.frombuffer(audio, "<i2")]


def capture(uplink: Uplink, clock: Clock, start: int, stop: int) -> None:
    for at in range(start, stop, 20):
        uplink.add(numbers(at, at + 20))
    clock.now += (stop - start) / RATE


def test_what_is_captured_is_sent_once(uplink: Uplink, clock: Clock) -> None:
    capture(uplink, clock, 0, 40)
    assert taken(uplink) == list(range(40))
    assert taken(uplink) == []
    capture(uplink, clock, 40, 60)
    assert taken(uplink) == list(range(40, 60))


def test_another_connection_goes_on_at_any_position(uplink: Uplink, clock: Clock) -> None:
    capture(uplink, clock, 0, 500)
    taken(uplink)
    assert uplink.offer_ms() == 0
    uplink.go_on(123.0)
    capture(uplink, clock, 500, 520)
    assert taken(uplink) == list(range(123, 520))


def test_one_byte_samples(clock: Clock) -> None:
    uplink = Uplink(RATE, 1, clock)
    uplink.add(bytes(range(100)))
    uplink.go_on(30.0)
    assert uplink.take() == bytes(range(30, 100))


def test_only_the_newest_is_offered(uplink: Uplink, clock: Clock) -> None:
    capture(uplink, clock, 0, 20_000)
    assert uplink.offer_ms() == 20_000 - OFFERED_SECONDS * 1000


def test_what_was_offered_is_still_there_when_the_server_has_answered(
    uplink: Uplink, clock: Clock
) -> None:
    assert KEPT_SECONDS - OFFERED_SECONDS > ATTEMPT_SECONDS
    capture(uplink, clock, 0, 20_000)
    offered = int(uplink.offer_ms())
    captured = 20_000 + int((KEPT_SECONDS - OFFERED_SECONDS) * 1000)
    capture(uplink, clock, 20_000, captured)
    uplink.go_on(offered)
    clock.now += 10
    assert taken(uplink) == list(range(offered, captured))


def test_a_burst_stays_below_what_is_allowed_and_then_goes_on(uplink: Uplink, clock: Clock) -> None:
    capture(uplink, clock, 0, 14_000)
    uplink.go_on(0.0)
    first = taken(uplink)
    assert first == list(range(int(AHEAD_SECONDS * 1000)))
    capture(uplink, clock, 14_000, 14_100)
    assert taken(uplink) == list(range(len(first), len(first) + 100))


def test_a_position_that_is_not_captured_yet_is_waited_for(uplink: Uplink, clock: Clock) -> None:
    capture(uplink, clock, 0, 40)
    uplink.go_on(60.0)
    assert uplink.take() == b""
    capture(uplink, clock, 40, 80)
    assert taken(uplink) == list(range(60, 80))
