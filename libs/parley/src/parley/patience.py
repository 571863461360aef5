"""How long a provider may be silent; one that is silent for longer is let go of."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Generic, TypeVar

from parley import logs
from parley.faults import ProviderError
from parley.messages import Retry

log = logs.get(__name__)

CLOSE_SECONDS = 1.0
"""How long a provider that is not wanted any more may take to stop its work."""

Piece = TypeVar("Piece")

_left_behind: set[asyncio.Task[None]] = set()
"""Keeps what would not stop from being collected in the middle of its work."""


@dataclass(frozen=True)
class Patience:
    """The longest silence of a provider, in seconds, that is not taken for a fault."""

    first: float = 5.0
    """From the request to the first piece of text or speech."""

    between: float = 5.0
    """From one piece to the next, and from the last to the end."""


@dataclass(frozen=True)
class _End:
    error: Exception | None = None


async def within(
    patience: Patience, pieces: AsyncGenerator[Piece, None], who: str
) -> AsyncGenerator[Piece, None]:
    """Yield what `pieces` yields, each as soon as it is asked for; `who` makes it, for people.

    Raises ProviderError (now) after too long a silence. `pieces` is closed in any case; if
    that takes longer than CLOSE_SECONDS, nobody waits for it.
    """
    source = _Source(pieces)
    try:
        limit = patience.first
        while True:
            try:
                async with asyncio.timeout(limit):
                    item = await source.next()
            except TimeoutError:
                reason = f"{who} has given nothing for {limit:g} s"
                raise ProviderError(reason, Retry.NOW) from None
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
            limit = patience.between
    finally:
        await source.close(who)


class _Source(Generic[Piece]):
    """A generator in a task of its own: whatever it does with a cancellation, the job goes on."""

    def __init__(self, pieces: AsyncGenerator[Piece, None]) -> None:
        self._given: asyncio.Queue[Piece | _End] = asyncio.Queue()
        self._wanted = asyncio.Semaphore(0)
        self._task = asyncio.create_task(self._run(pieces))

    async def next(self) -> Piece | _End:
        self._wanted.release()
        return await self._given.get()

    async def _run(self, pieces: AsyncGenerator[Piece, None]) -> None:
        try:
            async with aclosing(pieces):
                await self._wanted.acquire()
                async for piece in pieces:
                    self._given.put_nowait(piece)
                    await self._wanted.acquire()
        except Exception as error:
            self._given.put_nowait(_End(error))
        else:
            self._given.put_nowait(_End())

    async def close(self, who: str) -> None:
        self._task.cancel()
        await asyncio.wait({self._task}, timeout=CLOSE_SECONDS)
        if not self._task.done():
            log.warning("a provider does not stop its work", provider=who)
            _left_behind.add(self._task)
            self._task.add_done_callback(_left_behind.discard)
