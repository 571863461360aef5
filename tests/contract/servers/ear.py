"""What recognises speech behind a contract server: the embedded engines, with word times."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import numpy as np

from parley.audio import BYTES_PER_SAMPLE, HEARING_RATE, duration_ms, to_float
from parley_stt.engines.moonshine_onnx import Moonshine
from parley_stt.engines.recognition import without_hallucinations
from parley_stt.engines.silero import (
    CONTEXT_SAMPLES,
    STATE_SHAPE,
    WINDOW_SAMPLES,
    Infer,
    load_silero,
)

Made = TypeVar("Made")

_WINDOW_BYTES = WINDOW_SAMPLES * BYTES_PER_SAMPLE
_ONSET_WINDOWS = 3
_LEAD_MS = 300.0
PARTIAL_MS = 600.0
"""Speech between two partial results."""


@dataclass(frozen=True)
class Word:
    """A recognised word; times in ms from the first byte that the ear was given."""

    text: str
    start_ms: float
    end_ms: float
    confidence: float = 0.9


@dataclass(frozen=True)
class Started:
    """Voice has set in."""

    at_ms: float


@dataclass(frozen=True)
class Result:
    """What was recognised of an utterance: so far, or, if `is_final`, altogether.

    `ended_by_silence`: silence ended it, not `finalize`.
    """

    text: str
    words: list[Word]
    is_final: bool
    start_ms: float
    end_ms: float
    ended_by_silence: bool = False


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "contract-ear")


@cache
def _moonshine() -> Moonshine:
    return Moonshine()


@cache
def _silero() -> Infer:
    return load_silero()


class Ear:
    """Hears PCM16 mono at 16 kHz, in order; tells `on_event` of a Started or a Result.

    Silence of `endpointing_ms` ends an utterance; None: only `finalize` does.
    """

    def __init__(
        self, on_event: Callable[[Started | Result], None], endpointing_ms: float | None = 300
    ) -> None:
        self._on_event = on_event
        self._endpointing_ms = endpointing_ms
        self._rest = b""
        self._state = np.zeros(STATE_SHAPE, np.float32)
        self._context = bytes(CONTEXT_SAMPLES * BYTES_PER_SAMPLE)
        self._heard_ms = 0.0
        self._recent = bytearray()
        self._utterance: bytearray | None = None
        self._from_ms = 0.0
        self._voiced = 0
        self._silent_ms = 0.0
        self._next_partial_ms = 0.0

    async def push(self, pcm: bytes) -> None:
        """Hear this."""
        self._rest += pcm
        while len(self._rest) >= _WINDOW_BYTES:
            window, self._rest = self._rest[:_WINDOW_BYTES], self._rest[_WINDOW_BYTES:]
            await self._window(window)

    async def finalize(self) -> Result:
        """Whatever was said since the last final, now, as a final; it may be empty."""
        if self._utterance is None:
            return Result("", [], True, self._heard_ms, self._heard_ms)
        return await self._end(by_silence=False)

    async def _window(self, window: bytes) -> None:
        probability = await _in_thread(self._voice, window)
        length = duration_ms(len(window), HEARING_RATE)
        self._heard_ms += length
        self._recent += window
        self._voiced = self._voiced + 1 if probability > 0.5 else 0
        if self._utterance is None:
            keep = int(_LEAD_MS * HEARING_RATE / 1000) * BYTES_PER_SAMPLE
            del self._recent[:-keep]
            if self._voiced >= _ONSET_WINDOWS:
                self._begin()
            return
        self._utterance += window
        self._silent_ms = 0.0 if probability > 0.35 else self._silent_ms + length
        if self._endpointing_ms is not None and self._silent_ms >= self._endpointing_ms:
            self._on_event(await self._end(by_silence=True))
        elif self._heard_ms >= self._next_partial_ms and not self._silent_ms:
            self._next_partial_ms = self._heard_ms + PARTIAL_MS
            result = await self._recognised(is_final=False)
            if result.text:
                self._on_event(result)

    def _begin(self) -> None:
        self._utterance = bytearray(self._recent)
        self._from_ms = self._heard_ms - duration_ms(len(self._recent), HEARING_RATE)
        self._silent_ms = 0.0
        self._next_partial_ms = self._heard_ms + PARTIAL_MS
        self._on_event(Started(self._from_ms))

    async def _end(self, *, by_silence: bool) -> Result:
        result = await self._recognised(is_final=True, by_silence=by_silence)
        self._utterance = None
        self._recent.clear()
        self._voiced = 0
        return result

    async def _recognised(self, *, is_final: bool, by_silence: bool = False) -> Result:
        pcm = bytes(self._utterance or b"")
        text = await recognised(pcm)
        end = self._heard_ms - self._silent_ms
        words = _placed(text, self._from_ms, end)
        return Result(text, words, is_final, self._from_ms, end, by_silence)

    def _voice(self, window: bytes) -> float:
        audio = to_float(self._context + window)[None, :]
        self._context = window[-len(self._context) :]
        probability, self._state = _silero()(audio, self._state[:, None, :])
        self._state = self._state[:, 0, :]
        return float(probability[0])


async def recognised(pcm: bytes) -> str:
    """The words in PCM16 mono at 16 kHz."""
    return await _in_thread(_recognise, pcm)


def _recognise(pcm: bytes) -> str:
    return without_hallucinations(_moonshine().recognise(to_float(pcm))).text.strip()


def _placed(text: str, start_ms: float, end_ms: float) -> list[Word]:
    """The words, laid over the time by their share of the characters."""
    words = text.split()
    share = (end_ms - start_ms) / max(sum(len(word) + 1 for word in words), 1)
    placed, at = [], start_ms
    for word in words:
        until = at + (len(word) + 1) * share
        placed.append(Word(word, at, until))
        at = until
    return placed


async def _in_thread(function: Callable[..., Made], *arguments: object) -> Made:
    return await asyncio.get_running_loop().run_in_executor(_pool(), function, *arguments)
