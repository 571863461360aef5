"""A person's recording as a transcriber gets it: audio in chunks, and cues from voice activity."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from parley.audio import BYTES_PER_SAMPLE, HEARING_RATE, bytes_for, to_float
from parley.providers import Cue, Heard, Transcriber, TurnEnded, TurnProbablyEnded, TurnResumed
from parley_stt.endpointing import Endpointer, GoesOn, Hush, Onset, TurnOver
from parley_stt.engines.silero import CONTEXT_SAMPLES, STATE_SHAPE, WINDOW_SAMPLES, load_silero
from support.recordings import part, recording

SCRIPT = "It was the best of times, it was the worst of times."
"""What is said in `spoken`."""
SPEED = 4
"""Times real time."""
WINDOW_BYTES = WINDOW_SAMPLES * BYTES_PER_SAMPLE
WINDOW_SECONDS = WINDOW_SAMPLES / HEARING_RATE
ENDPOINTING_MS = 700
"""Longer than any pause in the recording."""

Item = bytes | Cue
Result = Heard | TurnProbablyEnded | TurnResumed | TurnEnded


@cache
def spoken() -> tuple[Item, ...]:
    """4 s of speech and 1 s of silence, with the cues in their places."""
    pcm = part(recording("two_cities.wav"), 0.7, 4.75) + bytes(bytes_for(1000, HEARING_RATE))
    return (*_with_cues(pcm),)


def silence(seconds: float) -> tuple[Item, ...]:
    """Silence, and then the question what was said."""
    windows = int(seconds / WINDOW_SECONDS)
    return (*[bytes(WINDOW_BYTES)] * windows, Cue.FINALIZE)


def _with_cues(pcm: bytes) -> list[Item]:
    infer, state = load_silero(), np.zeros((*STATE_SHAPE[:1], 1, *STATE_SHAPE[1:]), np.float32)
    context = bytes(CONTEXT_SAMPLES * BYTES_PER_SAMPLE)
    endpointer = Endpointer(ENDPOINTING_MS)
    items: list[Item] = []
    for start in range(0, len(pcm) - WINDOW_BYTES + 1, WINDOW_BYTES):
        window = pcm[start : start + WINDOW_BYTES]
        probability, state = infer(to_float(context + window)[None, :], state)
        context = window[-len(context) :]
        items.append(window)
        at_ms = start / BYTES_PER_SAMPLE / HEARING_RATE * 1000
        for event in endpointer.push(float(probability[0]), at_ms):
            match event:
                case Onset() | GoesOn():
                    items.append(Cue.SPEECH_STARTED)
                case Hush():
                    items.append(Cue.PAUSE)
                case TurnOver():
                    items.append(Cue.FINALIZE)
    return items


@dataclass
class Hearing:
    """A transcriber at work: what it has been given, and what it has emitted."""

    results: list[Result] = field(default_factory=list)
    given: int = 0
    asked_at: int | None = None
    """How many results there were as FINALIZE was given."""
    task: asyncio.Task[None] = field(init=False)

    @property
    def partials(self) -> list[str]:
        return [one.message for one in self._heard() if not one.is_final and one.message]

    @property
    def said(self) -> str:
        """All finals, joined."""
        return " ".join(one.message for one in self._heard() if one.is_final and one.message)

    def _heard(self) -> list[Heard]:
        return [one for one in self.results if isinstance(one, Heard)]

    def emit(self, result: Result) -> None:
        self.results.append(result)

    async def answered(self, seconds: float) -> None:
        """Wait until FINALIZE, which was the last item, is answered. Raises what it raises."""
        async with asyncio.timeout(seconds):
            while True:
                if self.task.done():
                    await self.task
                    raise AssertionError("the transcriber stopped listening")
                if self._answer_is_there:
                    return
                await asyncio.sleep(0.01)

    @property
    def _answer_is_there(self) -> bool:
        return self.asked_at is not None and any(
            isinstance(one, Heard) and one.is_final for one in self.results[self.asked_at :]
        )


@asynccontextmanager
async def hearing(
    transcriber: Transcriber, items: tuple[Item, ...], *, goes_on: bool = True
) -> AsyncIterator[Hearing]:
    """The transcriber hears `items`, and then silence; cancelled at the end."""
    made = Hearing()

    async def audio() -> AsyncIterator[Item]:
        for item in items:
            if item is Cue.FINALIZE:
                made.asked_at = len(made.results)
            yield item
            if isinstance(item, bytes):
                made.given += 1
                await asyncio.sleep(WINDOW_SECONDS / SPEED)
        while goes_on:
            yield bytes(WINDOW_BYTES)
            await asyncio.sleep(WINDOW_SECONDS)

    made.task = asyncio.create_task(transcriber.transcribe(audio(), made.emit))
    try:
        yield made
    finally:
        made.task.cancel()
        await asyncio.wait([made.task])
