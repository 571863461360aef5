"""Who is tried next when a job is lost."""

import pytest

from parley.messages import Retry
from parley.profiles import ProviderChoice
from parley.subjects import Stage
from parley_gateway.failover import WORKERS_LOST, Failover
from parley_gateway.jobs import JobLost, NoCapacity

FIRST, SECOND = ProviderChoice(provider="first"), ProviderChoice(provider="second")


def by_provider(retry: Retry) -> JobLost:
    return JobLost(Stage.TTS, "it failed", retry, by_provider=True)


def test_a_lost_worker_says_nothing_of_its_provider() -> None:
    failover = Failover([FIRST, SECOND])
    for _ in range(WORKERS_LOST - 1):
        assert failover.lost(JobLost(Stage.TTS, "its worker is gone"))
        assert failover.choice is FIRST
    assert not failover.lost(JobLost(Stage.TTS, "its worker is gone"))


def test_a_provider_that_fails_is_tried_twice() -> None:
    failover = Failover([FIRST, SECOND])
    assert failover.lost(by_provider(Retry.NOW))
    assert failover.choice is FIRST
    assert failover.lost(by_provider(Retry.NOW))
    assert failover.choice is SECOND
    assert failover.lost(by_provider(Retry.NOW))
    assert not failover.lost(by_provider(Retry.NOW))


@pytest.mark.parametrize("retry", [Retry.LATER, Retry.NEVER])
def test_one_that_cannot_be_used_now_is_passed_over(retry: Retry) -> None:
    failover = Failover([FIRST, SECOND])
    assert failover.lost(by_provider(retry))
    assert failover.choice is SECOND
    assert not failover.lost(by_provider(retry))


def test_without_room_the_next_is_tried_and_the_last_gives_up() -> None:
    failover = Failover([FIRST, SECOND])
    assert failover.lost(NoCapacity(Stage.TTS, "no room", Retry.LATER))
    assert failover.choice is SECOND
    assert not failover.lost(NoCapacity(Stage.TTS, "no room", Retry.LATER))
