"""A voice that hums: no engine, and every word takes just as long. For tests of times."""

from collections.abc import AsyncGenerator

import numpy as np

from parley.audio import bytes_for, from_float
from parley.marks import Mark

WORD_MS = 200.0


async def hum(text: str, sample_rate: int) -> AsyncGenerator[tuple[bytes, list[Mark]], None]:
    """Yield one chunk with all words, `WORD_MS` each: PCM16 mono at `sample_rate` Hz."""
    marks: list[Mark] = []
    at = 0
    for word in text.split():
        at = text.index(word, at)
        start = len(marks) * WORD_MS
        marks.append(Mark(word, at, start, start + WORD_MS))
        at += len(word)
    samples = bytes_for(len(marks) * WORD_MS, sample_rate) // 2
    tone = 0.3 * np.sin(2 * np.pi * 220 * np.arange(samples) / sample_rate)
    yield from_float(tone), marks
