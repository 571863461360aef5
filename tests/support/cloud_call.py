"""One call to a transcriber, as a test makes it: it says what, and when."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from parley.audio import HEARING_RATE, bytes_for, duration_ms
from parley.providers import Cue, Heard, Transcriber, TurnEnded

CHUNK_MS = 100


class Call:
    """What goes to the transcriber, and all that it has emitted."""

    def __init__(self) -> None:
        self.emitted: list[object] = []
        self._items: asyncio.Queue[bytes | Cue | None] = asyncio.Queue()
        self._changed = asyncio.Event()

    async def say(self, pcm: bytes, speed: float = 8.0) -> None:
        """The audio, so many times faster than it is."""
        size = bytes_for(CHUNK_MS, HEARING_RATE)
        for begin in range(0, len(pcm), size):
            chunk = pcm[begin : begin + size]
            self._items.put_nowait(chunk)
            await asyncio.sleep(duration_ms(len(chunk), HEARING_RATE) / 1000 / speed)

    def cue(self, cue: Cue) -> None:
        """A cue, after what was said so far."""
        self._items.put_nowait(cue)

    def end(self) -> None:
        """No more audio."""
        self._items.put_nowait(None)

    async def audio(self) -> AsyncIterator[bytes | Cue]:
        while (item := await self._items.get()) is not None:
            yield item

    def emit(self, result: object) -> None:
        self.emitted.append(result)
        self._changed.set()

    async def until(self, is_so: Callable[["Call"], bool], seconds: float = 10.0) -> None:
        """Wait until it is so."""
        async with asyncio.timeout(seconds):
            while not is_so(self):
                self._changed.clear()
                await self._changed.wait()

    async def final(self, seconds: float = 10.0) -> Heard:
        """Ask for a final, and give it."""
        before = len(self.finals)
        self.cue(Cue.FINALIZE)
        await self.until(lambda call: any(f.end_ms is None for f in call.finals[before:]), seconds)
        return self.finals[-1]

    @property
    def partials(self) -> list[Heard]:
        return [item for item in self.emitted if isinstance(item, Heard) and not item.is_final]

    @property
    def finals(self) -> list[Heard]:
        return [item for item in self.emitted if isinstance(item, Heard) and item.is_final]

    @property
    def text(self) -> str:
        return " ".join(final.message for final in self.finals if final.message)

    @property
    def turn_ends(self) -> int:
        return sum(isinstance(item, TurnEnded) for item in self.emitted)


@asynccontextmanager
async def calling(transcriber: Transcriber) -> AsyncIterator[Call]:
    """A call while it lasts. Raises what the transcriber raises; cancels it at the end."""
    call = Call()
    async with asyncio.TaskGroup() as tasks:
        hearing = tasks.create_task(transcriber.transcribe(call.audio(), call.emit))
        yield call
        hearing.cancel()
