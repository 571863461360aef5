"""A circuit breaker: keeps calls from a provider that fails, and probes whether it is back. Pure.

Closed, it lets all calls through. Some failures in a row, or one with Retry-After, open it: none
comes through for a pause. Then it is half open: one call is let through, as a probe. If that goes
well the breaker closes; if not, it opens again, for a pause twice as long.
"""

from collections.abc import Callable
from enum import StrEnum

from parley.faults import ProviderError
from parley.messages import Retry

FAILURES = 3
"""So many failures in a row open the breaker."""
FIRST_PAUSE = 1.0
"""Seconds until the first probe; each probe that fails doubles it."""
LONGEST_PAUSE = 30.0
LONGEST_RETRY_AFTER = 300.0
"""A provider that asks for a longer pause (s) is probed after this one all the same."""
LEASE = 5.0
"""An admitted probe that has not begun after so many seconds never will."""

Clock = Callable[[], float]


class State(StrEnum):
    """What a breaker does with the next job."""

    CLOSED = "closed"
    """All may run."""
    OPEN = "open"
    """None may."""
    HALF_OPEN = "half_open"
    """One may, as a probe."""


class BreakerOpen(ProviderError):
    """The provider is not asked now. `retry_after` says when it will be."""


class Permit:
    """One job's leave to ask the provider. A job says how it went; one that does not is ignored."""

    def __init__(self, breaker: "Breaker", era: int, expires: float) -> None:
        self.era = era
        self.expires = expires
        self._breaker = breaker

    def begin(self) -> None:
        """The job runs now, and will `release` the permit."""
        self.expires = float("inf")

    def succeeded(self) -> None:
        """The provider has done what it was asked for."""
        self._breaker._succeeded(self)

    def failed(self, retry: Retry, retry_after: float | None = None) -> None:
        """It has not. NEVER blames the request, so that it says nothing of the provider."""
        if retry is not Retry.NEVER:
            self._breaker._failed(self, retry_after)

    def release(self) -> None:
        """The job is over. If it was a probe that came to no result, another may be made."""
        self.expires = float("-inf")


class Breaker:
    """Guards one provider with one set of settings; `who` is its name for people."""

    def __init__(
        self,
        who: str,
        clock: Clock,
        on_change: Callable[[State, State], object] = lambda old, new: None,
    ) -> None:
        self.state = State.CLOSED
        self._who = who
        self._clock = clock
        self._on_change = on_change
        self._failures = 0
        self._pause = FIRST_PAUSE
        self._until = 0.0
        self._probe: Permit | None = None
        self._era = 0

    def admit(self) -> Permit:
        """Leave for one job. Raises BreakerOpen while the provider is to be left alone."""
        now = self._clock()
        if self.state is State.CLOSED:
            return Permit(self, self._era, now + LEASE)
        if now < self._until:
            self._refuse(self._until - now)
        if self._probe is not None and now < self._probe.expires:
            self._refuse(FIRST_PAUSE)
        self._change(State.HALF_OPEN)
        self._probe = Permit(self, self._era, now + LEASE)
        return self._probe

    def _refuse(self, seconds: float) -> None:
        reason = f"{self._who} has failed; it is tried again in {seconds:.1f} s"
        raise BreakerOpen(reason, Retry.LATER, retry_after=seconds)

    def _succeeded(self, permit: Permit) -> None:
        if permit.era != self._era:
            return  # a job from before the last change: the probe alone decides
        self._failures = 0
        if self.state is State.HALF_OPEN:
            self._pause = FIRST_PAUSE
            self._change(State.CLOSED)

    def _failed(self, permit: Permit, retry_after: float | None) -> None:
        wanted = retry_after if retry_after is not None and retry_after > 0 else 0.0
        asked = min(wanted, LONGEST_RETRY_AFTER)
        if permit.era != self._era:
            if self.state is State.OPEN and asked:
                self._until = max(self._until, self._clock() + asked)
            return
        self._failures += 1
        if self.state is State.CLOSED and self._failures < FAILURES and not asked:
            return
        self._until = self._clock() + (asked or self._pause)
        if not asked:
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
        self._failures = 0
        self._change(State.OPEN)

    def _change(self, state: State) -> None:
        old, self.state = self.state, state
        self._era += 1
        self._probe = None
        if state is not old:
            self._on_change(old, state)
