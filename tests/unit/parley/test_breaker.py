"""When a provider is asked, when it is left alone, when it is probed."""

import pytest

from parley.breaker import (
    FAILURES,
    FIRST_PAUSE,
    LEASE,
    LONGEST_PAUSE,
    LONGEST_RETRY_AFTER,
    Breaker,
    BreakerOpen,
    Permit,
    State,
)
from parley.messages import Retry


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker("the provider", clock)


def state(breaker: Breaker) -> State:
    return breaker.state


def begun(breaker: Breaker) -> Permit:
    permit = breaker.admit()
    permit.begin()
    return permit


def fail(breaker: Breaker, retry: Retry = Retry.NOW, retry_after: float | None = None) -> None:
    permit = begun(breaker)
    permit.failed(retry, retry_after)
    permit.release()


def succeed(breaker: Breaker) -> None:
    permit = begun(breaker)
    permit.succeeded()
    permit.release()


def refused_for(breaker: Breaker) -> float:
    with pytest.raises(BreakerOpen) as refused:
        breaker.admit()
    assert refused.value.retry is Retry.LATER
    assert refused.value.retry_after is not None
    return refused.value.retry_after


def opened(breaker: Breaker) -> Breaker:
    for _ in range(FAILURES):
        fail(breaker)
    assert state(breaker) is State.OPEN
    return breaker


@pytest.mark.parametrize("retry", [Retry.NOW, Retry.LATER])
def test_failures_in_a_row_open_it(breaker: Breaker, retry: Retry) -> None:
    for _ in range(FAILURES - 1):
        fail(breaker, retry)
    assert state(breaker) is State.CLOSED
    fail(breaker, retry)
    assert refused_for(breaker) == FIRST_PAUSE


def test_a_success_in_between_starts_the_count_anew(breaker: Breaker) -> None:
    for _ in range(3 * FAILURES):
        fail(breaker)
        succeed(breaker)
    assert state(breaker) is State.CLOSED


def test_a_request_that_is_to_blame_itself_does_not_count(breaker: Breaker) -> None:
    for _ in range(3 * FAILURES):
        fail(breaker, Retry.NEVER)
    assert state(breaker) is State.CLOSED


def test_a_job_that_comes_to_no_result_counts_as_neither(breaker: Breaker) -> None:
    for _ in range(FAILURES - 1):
        fail(breaker)
    begun(breaker).release()
    fail(breaker)
    assert state(breaker) is State.OPEN


def test_retry_after_opens_it_at_once_and_for_as_long(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, Retry.LATER, 7.5)
    assert refused_for(breaker) == 7.5
    clock.now += 7.4
    assert refused_for(breaker) == pytest.approx(0.1)
    clock.now += 0.1
    succeed(breaker)
    assert state(breaker) is State.CLOSED


@pytest.mark.parametrize(
    ("seconds", "pause"), [(1e9, LONGEST_RETRY_AFTER), (float("inf"), LONGEST_RETRY_AFTER)]
)
def test_no_retry_after_shuts_a_provider_out_for_good(
    breaker: Breaker, seconds: float, pause: float
) -> None:
    fail(breaker, Retry.LATER, seconds)
    assert refused_for(breaker) == pause


@pytest.mark.parametrize("seconds", [0.0, -5.0, float("nan")])
def test_a_retry_after_that_asks_for_no_pause_is_one_failure(
    breaker: Breaker, seconds: float
) -> None:
    fail(breaker, Retry.LATER, seconds)
    assert state(breaker) is State.CLOSED
    for _ in range(FAILURES - 1):
        fail(breaker, Retry.LATER, seconds)
    assert refused_for(breaker) == FIRST_PAUSE


def test_the_pause_doubles_with_each_probe_that_fails(breaker: Breaker, clock: Clock) -> None:
    opened(breaker)
    pauses = []
    for _ in range(7):
        pauses.append(refused_for(breaker))
        clock.now += pauses[-1]
        fail(breaker)
    assert pauses == [1, 2, 4, 8, 16, LONGEST_PAUSE, LONGEST_PAUSE]
    clock.now += LONGEST_PAUSE
    succeed(breaker)
    assert refused_for(opened(breaker)) == FIRST_PAUSE


def test_one_probe_at_a_time(breaker: Breaker, clock: Clock) -> None:
    opened(breaker)
    clock.now += FIRST_PAUSE
    probe = begun(breaker)
    assert state(breaker) is State.HALF_OPEN
    clock.now += 1000
    refused_for(breaker)
    probe.succeeded()
    assert state(breaker) is State.CLOSED
    begun(breaker)
    begun(breaker)


@pytest.mark.parametrize("retry", [None, Retry.NEVER])
def test_a_probe_without_a_result_makes_room_for_another(
    breaker: Breaker, clock: Clock, retry: Retry | None
) -> None:
    opened(breaker)
    clock.now += FIRST_PAUSE
    probe = begun(breaker)
    if retry is not None:
        probe.failed(retry)
    probe.release()
    assert state(breaker) is State.HALF_OPEN
    succeed(breaker)
    assert state(breaker) is State.CLOSED


def test_a_probe_that_never_begins_makes_room_for_another(breaker: Breaker, clock: Clock) -> None:
    opened(breaker)
    clock.now += FIRST_PAUSE
    lost = breaker.admit()
    clock.now += LEASE - 0.01
    refused_for(breaker)
    clock.now += 0.01
    probe = begun(breaker)
    lost.begin()
    lost.succeeded()
    assert state(breaker) is State.HALF_OPEN
    probe.succeeded()
    assert state(breaker) is State.CLOSED


def test_jobs_from_before_it_opened_have_no_say(breaker: Breaker, clock: Clock) -> None:
    early = [begun(breaker) for _ in range(4)]
    opened(breaker)
    early[0].succeeded()
    early[1].failed(Retry.NOW)
    assert refused_for(breaker) == FIRST_PAUSE
    clock.now += FIRST_PAUSE
    begun(breaker)
    early[2].succeeded()
    early[3].failed(Retry.NOW)
    assert state(breaker) is State.HALF_OPEN


def test_but_a_longer_retry_after_of_theirs_holds(breaker: Breaker) -> None:
    early = [begun(breaker) for _ in range(3)]
    early[0].failed(Retry.LATER, 5)
    early[1].failed(Retry.LATER, 9)
    early[2].failed(Retry.LATER, 2)
    assert refused_for(breaker) == 9


def test_changes_are_told_once_each(clock: Clock) -> None:
    changes: list[tuple[State, State]] = []
    breaker = opened(Breaker("it", clock, lambda old, new: changes.append((old, new))))
    clock.now += FIRST_PAUSE
    begun(breaker).release()
    succeed(breaker)
    closed, open_, half = State.CLOSED, State.OPEN, State.HALF_OPEN
    assert changes == [(closed, open_), (open_, half), (half, closed)]
