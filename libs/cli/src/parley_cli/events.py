"""What was said in a call, as it comes, and waiting for it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from parley_cli.errors import Failure


class CallEnded(Failure):
    """The call was over before what was waited for came."""


@dataclass(frozen=True)
class Event:
    """A message from the server and the moment (s) it arrived."""

    at: float
    data: Mapping[str, Any]

    @property
    def type(self) -> str:
        """What kind of message it is."""
        return str(self.data.get("type", ""))


class EventLog:
    """The events of a call, from its first to its end."""

    def __init__(self, first: Event) -> None:
        self.events: list[Event] = [first]
        """All that the server said, in order. `connection_lost` is added where it went away."""
        self._over = False
        self._why_over = ""
        self._news = asyncio.Event()

    @property
    def over(self) -> bool:
        """Whether the call has ended."""
        return self._over

    async def until(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait until the condition holds; it is tried at each event and each 20 ms.

        False after `timeout` s. Raises CallEnded if the call is over before.
        """
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                return False
            await self.next_change()
        return True

    async def next_change(self) -> None:
        """Wait for the next event or the next 20 ms. Raises CallEnded if the call is over."""
        if self._over:
            raise CallEnded(f"the call is over: {self._why_over}")
        await self._news.wait()

    async def wait_for(
        self, kind: str, *, timeout: float = 10.0, since: int = 0, **fields: object
    ) -> Event:
        """The first event of that kind (`type`) with those fields, from `events[since]` on.

        Raises TimeoutError after `timeout` s, CallEnded if the call is over before.
        """
        found: list[Event] = []
        seen = since

        def came() -> bool:
            nonlocal seen
            for event in self.events[seen:]:
                seen += 1
                if event.type == kind and fields.items() <= event.data.items():
                    found.append(event)
                    return True
            return False

        if not await self.until(came, timeout):
            raise TimeoutError(f"no {kind} {fields or ''} within {timeout:g} s")
        return found[0]

    async def follow(self) -> AsyncIterator[Event]:
        """All events, from the first to the end of the call, as they come."""
        seen = 0
        while True:
            for event in self.events[seen:]:
                seen += 1
                yield event
            if self._over and seen == len(self.events):
                return
            await self.next_change()

    def _add(self, event: Event) -> None:
        self.events.append(event)
        self._wake()

    def _end(self, why: str) -> None:
        """No event comes any more. The first reason counts."""
        if not self._over:
            self._over, self._why_over = True, why
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
