"""What is told of the calls that go on."""

import time
from typing import Any

from parley.profiles import Profile
from parley_gateway.call import Call
from parley_gateway.live import REMEMBERED_SECONDS, REMEMBERED_TURNS, Live, noting


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def a_call() -> Call:
    return Call("c1", "tess", Profile(), time.time() - 60.0)


def test_a_call_is_told_of_as_it_stands_and_by_what_has_happened_in_it() -> None:
    live, standing = Live(), ("listening", 0)
    watched = live.add(a_call(), lambda: standing)
    recorded: list[Any] = []
    record = noting(lambda kind, key, **fields: recorded.append((kind, key, fields)), watched)
    record("failover", "failover-0-1", stage="tts")
    record("recording", "recording-0", file="c1.wav")
    record("turn", "turn-0-0", turn=0, voice_to_voice_ms=None)
    standing = ("speaking", 2)
    record("turn", "turn-1-0", turn=1, voice_to_voice_ms=640.0)
    (told,) = live.calls()
    assert (told.id, told.agent, told.state, told.turn) == ("c1", "tess", "speaking", 2)
    assert (told.failovers, told.voice_to_voice_ms, told.recording) == (1, 640.0, "c1.wav")
    assert 60 <= told.age_seconds < 90
    assert [kind for kind, _, _ in recorded] == ["failover", "recording", "turn", "turn"]
    live.remove(watched)
    assert live.calls() == []


def test_latency_is_that_of_the_last_minutes() -> None:
    clock = Clock()
    live = Live(clock)
    watched = live.add(a_call(), lambda: ("listening", 0))
    watched.note("turn", {"voice_to_voice_ms": 500.0})
    clock.now = REMEMBERED_SECONDS / 2
    watched.note("turn", {"voice_to_voice_ms": 600.0})
    assert live.voice_to_voice_ms() == [500.0, 600.0]
    clock.now = REMEMBERED_SECONDS + 1
    assert live.voice_to_voice_ms() == [600.0]
    live.remove(watched)  # The call is over; its turns count all the same.
    assert live.voice_to_voice_ms() == [600.0]


def test_latency_is_bounded() -> None:
    live = Live(Clock())
    watched = live.add(a_call(), lambda: ("listening", 0))
    for number in range(REMEMBERED_TURNS + 5):
        watched.note("turn", {"voice_to_voice_ms": float(number)})
    assert live.voice_to_voice_ms() == [float(number) for number in range(5, REMEMBERED_TURNS + 5)]
