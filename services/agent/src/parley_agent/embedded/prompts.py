"""Prompts that are read before they are needed, each once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from parley.messages import ChatMessage

REMEMBERED = 32
"""So many prompts are known as read; the model's own cache decides what is kept of them."""


class Prompts:
    """Has each prompt read once, and lets replies wait for a reading that is under way.

    Two readings of one prompt at the same time would each take twice as long.
    """

    def __init__(self, read: Callable[[Sequence[ChatMessage]], Awaitable[None]]) -> None:
        self._read = read
        self._readings: dict[str, asyncio.Future[None]] = {}

    async def prepare(self, history: Sequence[ChatMessage]) -> None:
        """Read what the history begins with, unless that was done. Raises ProviderError."""
        key = _key(history)
        if key not in self._readings:
            if len(self._readings) >= REMEMBERED:
                del self._readings[next(iter(self._readings))]
            reading = asyncio.ensure_future(self._read(history))
            reading.add_done_callback(lambda done: self._forget_failed(key, done))
            self._readings[key] = reading
        # Shielded: another call may wait for it.
        await asyncio.shield(self._readings[key])

    async def settled(self, history: Sequence[ChatMessage]) -> None:
        """Return once no reading of what the history begins with is under way."""
        reading = self._readings.get(_key(history))
        if reading is not None and not reading.done():
            await asyncio.wait([reading])

    def _forget_failed(self, key: str, done: asyncio.Future[None]) -> None:
        if done.cancelled() or done.exception() is not None:
            self._readings.pop(key, None)


class Ahead:
    """Has the model read what a caller says while they still say it: one reading at a time."""

    def __init__(self, read: Callable[[Sequence[ChatMessage]], Awaitable[None]]) -> None:
        self._read = read
        self._replies = 0
        self._reading: asyncio.Future[None] | None = None
        self._history: Sequence[ChatMessage] = ()

    async def read(self, history: Sequence[ChatMessage]) -> None:
        """Read it now, unless the model has something else to do. Raises ProviderError."""
        if self._replies or (self._reading is not None and not self._reading.done()):
            return
        self._history = history
        self._reading = asyncio.ensure_future(self._read(history))
        # Shielded: it is soon over, and llama.cpp takes longer to notice that it is not wanted.
        await asyncio.shield(self._reading)

    @asynccontextmanager
    async def reply(self, history: Sequence[ChatMessage]) -> AsyncIterator[None]:
        """A reply to the history is made in here, after a reading of the same call."""
        self._replies += 1
        try:
            reading = self._reading
            if reading and not reading.done() and self._history[:-1] == history[:-1]:
                await asyncio.wait([reading])
            yield
        finally:
            self._replies -= 1


def _key(history: Sequence[ChatMessage]) -> str:
    return history[0].content if history and history[0].role == "system" else ""
