"""What waits for a transcriber: a bounded queue of audio and cues that can be held back."""

import asyncio

from parley.providers import Cue, ProviderError, Transcriber
from parley_stt.awaited import FINAL_SECONDS
from parley_stt.timeline import Window

ITEMS = 1_000
"""Windows and cues that may wait for the transcriber: all that a call taken over brings, 30 s."""


class Feed:
    """Gives a transcriber its audio in order; a full one makes whoever fills it wait."""

    def __init__(self, transcriber: Transcriber) -> None:
        self._transcriber = transcriber
        self._items: asyncio.Queue[Window | Cue] = asyncio.Queue(ITEMS)
        self._open = asyncio.Event()
        self._open.set()

    @property
    def is_held(self) -> bool:
        """Whether the transcriber gets nothing for now."""
        return not self._open.is_set()

    def hold(self) -> None:
        """Let the transcriber wait until `release`, or until no more fits."""
        self._open.clear()

    def release(self) -> None:
        """Let the transcriber have what waits."""
        self._open.set()

    async def put(self, item: Window | Cue) -> None:
        """Add this. Raises ProviderError where the transcriber takes nothing for too long."""
        if not self._items.full():
            self._items.put_nowait(item)
            return
        self.release()
        while True:
            try:
                async with asyncio.timeout(FINAL_SECONDS):
                    await self._items.put(item)
                return
            except TimeoutError:
                if not self._transcriber.is_working:
                    raise ProviderError("the transcriber takes no audio") from None

    async def take(self) -> Window | Cue:
        """The next one, as soon as the transcriber may have it."""
        await self._open.wait()
        return await self._items.get()
