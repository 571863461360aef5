"""What a provider's account allows, shared by all calls of a process.

A worker that has used up its share refuses, and the gateway turns to another worker or to a
fallback at once: a caller does not wait in a queue for an account.
"""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiolimiter import AsyncLimiter

from parley.faults import ProviderError
from parley.messages import Retry

MINUTE = 60.0
FULL_SECONDS = 1.0
"""Where all streams are in use, it is worth trying again after so long."""


@dataclass(frozen=True)
class Limits:
    """What an account allows one process. None: as much as is asked for."""

    requests_per_minute: int | None = None
    streams: int | None = None


class Account:
    """One account with one provider; `who` is its name for people."""

    def __init__(
        self, who: str, limits: Limits, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.streams = 0
        """Streams in use."""
        self._who = who
        self._limits = limits
        self._clock = clock
        self._rate: AsyncLimiter | None = None
        self._closed_until = 0.0

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[None]:
        """Leave for one request or stream, for as long as it lasts.

        Raises ProviderError (later) where the account allows no more. A ProviderError with
        `retry_after` from within closes the account for so long, for all calls.
        """
        await self._admit()
        self.streams += 1
        try:
            yield
        except ProviderError as error:
            if error.retry is Retry.LATER and error.retry_after:
                self._closed_until = max(self._closed_until, self._clock() + error.retry_after)
            raise
        finally:
            self.streams -= 1

    async def _admit(self) -> None:
        if (wait := self._closed_until - self._clock()) > 0:
            self._refuse("has asked to be left alone", wait)
        if self._limits.streams is not None and self.streams >= self._limits.streams:
            self._refuse(f"has all of its {self._limits.streams} streams in use", FULL_SECONDS)
        if (rate := self._limits.requests_per_minute) is not None:
            # Made here: a limiter belongs to one event loop. A minute's worth may come at once.
            self._rate = self._rate or AsyncLimiter(rate, MINUTE)
            if not self._rate.has_capacity():
                self._refuse(f"has had its {rate} requests of this minute", MINUTE / rate)
            await self._rate.acquire()

    def _refuse(self, why: str, seconds: float) -> None:
        raise ProviderError(f"{self._who} {why}", Retry.LATER, retry_after=seconds)


_accounts: dict[tuple[str, str, Limits], Account] = {}


def account(who: str, key: str, limits: Limits) -> Account:
    """The process's account with `who` that the key (a reference, or an address) opens."""
    place = (who, key, limits)
    if place not in _accounts:
        _accounts[place] = Account(who, limits)
    return _accounts[place]
