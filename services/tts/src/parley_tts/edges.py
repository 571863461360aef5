"""Trims the silence around speech, so that sentences join at a natural distance."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

LEAD_MS = 60.0
"""Silence kept before speech, at most."""
SENTENCE_TAIL_MS = 200.0
CLAUSE_TAIL_MS = 80.0
"""Silence after a clause, or after words with no punctuation."""

FADE_MS = 4.0
SPEECH_BELOW_PEAK_DB = 40.0
"""What is this much weaker than the loudest moment counts as silence."""
WINDOW_MS = 5.0

_CLOSERS = "\"'”’)]»"


class Trimmed(NamedTuple):
    """Trimmed audio; `cut_ms` of it were taken off its start, and speech is where it says."""

    samples: Samples
    cut_ms: float
    speech_start_ms: float
    speech_end_ms: float


def tail_after(text: str) -> float:
    """The silence (ms) that belongs after `text`, by its closing punctuation."""
    ends_sentence = text.rstrip().rstrip(_CLOSERS).endswith((".", "!", "?", "…"))
    return SENTENCE_TAIL_MS if ends_sentence else CLAUSE_TAIL_MS


def trim(samples: Samples, rate: int, tail_ms: float) -> Trimmed:
    """The speech in `samples` with at most LEAD_MS before it and `tail_ms` after it."""
    first, last = _speech(samples, rate)
    start = max(0, first - int(LEAD_MS * rate / 1000))
    wanted = last + int(tail_ms * rate / 1000) - start
    kept = samples[start : start + wanted].copy()
    _fade(kept, rate)
    kept = np.pad(kept, (0, wanted - len(kept)))
    ms = 1000 / rate
    return Trimmed(kept, start * ms, (first - start) * ms, (last - start) * ms)


def _speech(samples: Samples, rate: int) -> tuple[int, int]:
    """The first sample of speech and the one after its last."""
    window = int(WINDOW_MS * rate / 1000)
    whole = samples[: len(samples) // window * window].reshape(-1, window)
    power = np.square(whole).mean(axis=1)
    if not power.size or power.max() == 0:
        return 0, len(samples)
    loud = np.flatnonzero(power > power.max() * 10 ** (-SPEECH_BELOW_PEAK_DB / 10))
    return int(loud[0]) * window, int(loud[-1] + 1) * window


def _fade(samples: Samples, rate: int) -> None:
    length = min(int(FADE_MS * rate / 1000), len(samples) // 2)
    if length:
        ramp = np.linspace(0, 1, length, dtype=np.float32)
        samples[:length] *= ramp
        samples[-length:] *= ramp[::-1]
