"""What callers put in while the bot speaks: said by the embedded voice, or coughed."""

from functools import cache

import numpy as np
import soxr

from parley.audio import HEARING_RATE
from parley_cli.wav import Samples
from parley_tts.hibari_engine import SAMPLE_RATE, HibariEngine

LOUDNESS = 0.07
"""The root mean square that all have, full scale being 1."""


@cache
def _engine() -> HibariEngine:
    return HibariEngine()


@cache
def said(text: str) -> Samples:
    """The words, at 16 kHz, without silence around them."""
    spoken = _engine().say(text, 1.0)
    assert spoken is not None, text
    samples = np.asarray(soxr.resample(spoken.samples, SAMPLE_RATE, HEARING_RATE), np.float64)
    loud = np.flatnonzero(np.abs(samples) > 0.02 * np.abs(samples).max())
    return _levelled(samples[loud[0] : loud[-1] + 1])


@cache
def cough() -> Samples:
    """Two short bursts of coloured noise, 450 ms in all."""
    random = np.random.default_rng(7)
    burst = np.convolve(random.normal(size=3200), np.hanning(24), "same")
    burst *= np.exp(-np.arange(3200) / 700)
    return _levelled(np.concatenate([burst, np.zeros(800), 0.7 * burst]))


def _levelled(samples: np.ndarray) -> Samples:
    level = float(np.sqrt(np.mean(samples**2)))
    return np.clip(samples * LOUDNESS / level * 32768, -32768, 32767).astype(np.int16)
