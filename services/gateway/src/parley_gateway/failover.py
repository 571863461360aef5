"""Who is tried next when a job is lost, and when to give up. Pure."""

from collections.abc import Sequence

from parley.messages import Retry
from parley.profiles import ProviderChoice
from parley_gateway.jobs import JobLost, NoCapacity

TRIES = 2
"""So often a provider that fails is tried, before the next one is."""
WORKERS_LOST = 10
"""So many workers may be lost under one piece of work: more is no accident."""


class Failover:
    """The providers for one piece of work, in the profile's order.

    A lost worker says nothing about its provider: the same is tried again elsewhere. One that
    cannot be used now (a rate limit, a wrong key, an open breaker, no capacity) is passed over
    at once. Each new piece of work begins with the first again, so one that is well again is used.
    """

    def __init__(self, choices: Sequence[ProviderChoice]) -> None:
        self._choices = list(choices)
        self._index = 0
        self._failures = 0
        self._workers_lost = 0

    @property
    def choice(self) -> ProviderChoice:
        """Whom to try."""
        return self._choices[self._index]

    def lost(self, error: JobLost) -> bool:
        """A job was lost; whether `choice` is worth trying now."""
        if not error.by_provider and not isinstance(error, NoCapacity):
            self._workers_lost += 1
            return self._workers_lost < WORKERS_LOST
        self._failures += 1
        if error.retry is Retry.NOW and self._failures < TRIES:
            return True
        self._failures = 0
        self._index += 1
        if self._index < len(self._choices):
            return True
        self._index = len(self._choices) - 1
        return False
