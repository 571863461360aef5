"""What a device plays of what it gets."""

import pytest

from benchmarks.turns.playout import JITTER, Frame, Span, spans


def burst(turn: int, *times: float) -> list[Frame]:
    return [Frame(at, turn, 0.02) for at in times]


def test_a_burst_is_played_without_a_break() -> None:
    (span,) = spans(burst(1, 10.0, 10.0, 10.0, 10.06), [])
    assert span.turn == 1
    assert span.begin == pytest.approx(10.0 + JITTER)
    assert span.end == pytest.approx(10.0 + JITTER + 0.08)


def test_what_comes_into_an_empty_buffer_waits_again() -> None:
    first, second = spans(burst(1, 10.0, 11.0), [])
    assert second.begin == pytest.approx(11.0 + JITTER)
    assert first.end == pytest.approx(10.0 + JITTER + 0.02)


def test_a_clear_drops_what_is_not_yet_played() -> None:
    frames = burst(1, *[10.0] * 10)
    (span,) = spans(frames, [10.1])
    assert span == Span(1, 10.0 + JITTER, 10.1)


def test_nothing_is_left_of_what_was_cleared_before_it_was_played() -> None:
    assert spans(burst(1, 10.0), [10.01]) == []


def test_what_comes_after_a_clear_is_played_anew() -> None:
    frames = burst(1, *[10.0] * 10) + burst(1, 10.5, 10.5)
    first, second = spans(frames, [10.1])
    assert first.end == 10.1
    assert second.begin == pytest.approx(10.5 + JITTER)


def test_turns_that_follow_each_other_are_apart() -> None:
    frames = burst(1, 10.0, 10.0) + burst(2, 10.01)
    assert [one.turn for one in spans(frames, [])] == [1, 2]
