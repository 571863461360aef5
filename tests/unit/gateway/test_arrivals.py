"""Positions in the caller's audio become times."""

from parley_gateway.arrivals import Arrivals
from parley_gateway.timeline import Timeline


def test_a_position_is_as_old_as_the_frame_that_held_it() -> None:
    arrivals = Arrivals()
    assert arrivals.time_of(5) is None
    for frame in range(1, 6):
        arrivals.add(frame * 20, 100 + frame * 0.02)
    assert arrivals.time_of(0) == 100.02
    assert arrivals.time_of(45) == 100.06
    assert arrivals.time_of(1000) == 100.1


def test_a_timeline_counts_from_the_end_of_speech_and_keeps_the_first_mark() -> None:
    timeline = Timeline(1)
    timeline.mark("speech_end", 10.0)
    timeline.mark("first_audio", 10.5)
    timeline.mark("first_audio", 11.0)
    assert timeline.since_speech_end_ms() == {"speech_end": 0.0, "first_audio": 500.0}
    assert Timeline(2).since_speech_end_ms() == {}
