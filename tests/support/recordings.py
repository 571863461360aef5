"""Recordings of people, from packages that are installed anyway."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import soundfile
import soxr

from parley.audio import from_float

TWO_CITIES = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the "
    "age of foolishness, it was the epoch of belief, it was the epoch of incredulity, it was the "
    "season of Light, it was the season of Darkness, it was the spring of hope, it was the winter "
    "of despair, we had everything before us, we had nothing before us, we were all going direct "
    "to Heaven, we were all going direct the other way. In short, the period was so far like the "
    "present period, that some of its noisiest authorities insisted on its being received, for "
    "good or for evil, in the superlative degree of comparison only."
)
"""What is said in two_cities.wav."""


def path(name: str) -> Path:
    """A recording that comes with the embedded recogniser's package."""
    package = find_spec("moonshine_voice")
    if package is None or package.origin is None:
        raise FileNotFoundError("moonshine_voice is not installed: run `make install`")
    return Path(package.origin).parent / "assets" / name


@cache
def recording(name: str, sample_rate: int = 16_000) -> bytes:
    """The recording as PCM16 mono at `sample_rate` Hz."""
    samples, rate = soundfile.read(path(name), dtype="float32", always_2d=True)
    return from_float(soxr.resample(samples.mean(axis=1), rate, sample_rate))


def part(pcm: bytes, start: float, end: float, sample_rate: int = 16_000) -> bytes:
    """The audio from `start` to `end`, in seconds."""
    return pcm[int(start * sample_rate) * 2 : int(end * sample_rate) * 2]


def level(pcm: bytes) -> float:
    """The root mean square of the samples, 1.0 being full scale."""
    samples = np.frombuffer(pcm, "<i2").astype(np.float64) / 32768
    return float(np.sqrt(np.mean(samples**2))) if len(samples) else 0.0
