"""What waits to be written to one client, bounded: a slow reader cannot hold up the ticker."""

import asyncio
from collections import deque

from parley_gateway.playout import FRAME_MS

MAX_AUDIO_MS = 2_000
"""So much audio waiting, besides what the network itself holds, means a client that is stuck."""
MAX_TEXTS = 500


class Outbox:
    """A queue of frames (bytes) and JSON (str) in order. `overflowed` once it is too full."""

    def __init__(self) -> None:
        self._items: deque[str | bytes] = deque()
        self._frames = 0
        self._filled = asyncio.Event()
        self.overflowed = asyncio.Event()

    @property
    def audio_ms(self) -> float:
        """Audio (ms) that waits."""
        return self._frames * FRAME_MS

    def put_text(self, text: str) -> None:
        """Add a JSON message."""
        self._put(text)
        if len(self._items) - self._frames > MAX_TEXTS:
            self._overflow()

    def put_frame(self, frame: bytes) -> None:
        """Add a frame of audio."""
        if self.overflowed.is_set():
            return
        self._frames += 1
        self._put(frame)
        if self.audio_ms > MAX_AUDIO_MS:
            self._overflow()

    def drop_audio(self) -> None:
        """Forget the audio that waits; the texts stay, in order."""
        self._items = deque(item for item in self._items if isinstance(item, str))
        self._frames = 0

    def _put(self, item: str | bytes) -> None:
        self._items.append(item)
        self._filled.set()

    def _overflow(self) -> None:
        """Too late for all that waits; only the reason for the end still matters."""
        self._items.clear()
        self._frames = 0
        self.overflowed.set()

    async def get(self) -> str | bytes:
        """The next item; waits for one."""
        while not self._items:
            self._filled.clear()
            await self._filled.wait()
        item = self._items.popleft()
        if isinstance(item, bytes):
            self._frames -= 1
        return item

    def drain(self) -> list[str]:
        """The texts that still wait; nothing is left."""
        texts = [item for item in self._items if isinstance(item, str)]
        self._items.clear()
        self._frames = 0
        return texts
