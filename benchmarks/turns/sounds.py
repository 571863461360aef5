"""Sounds: reading, trimming, levelling and putting them together. PCM16 mono at 16 kHz."""

from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import soxr

from parley_cli.wav import Samples

RATE = 16_000
"""Hz."""
SPEECH_DBFS = -23.0
"""The level of the caller's speech: the root mean square of its loud parts."""
ROOM_DBFS = -62.0
"""The level of a quiet room."""
WINDOW = RATE // 50
QUIET_DB = 30.0
"""What is so far below a sound's loudest window is not part of it."""

Floats = np.ndarray[tuple[int], np.dtype[np.float64]]


@cache
def read(path: Path) -> Samples:
    """A sound file of any kind, trimmed, at the level of speech. `.raw` is PCM16 at 16 kHz."""
    if path.suffix == ".raw":
        return at_level(trimmed(np.frombuffer(path.read_bytes(), "<i2")))
    samples, rate = soundfile.read(path, dtype="float64", always_2d=True)
    mono = np.asarray(soxr.resample(samples.mean(axis=1), rate, RATE))
    peak = max(1e-9, float(np.abs(mono).max())) if len(mono) else 1.0
    return at_level(trimmed(pcm(mono / peak * 0.9)))


def pcm(samples: Floats) -> Samples:
    """Floats of -1 to 1 as PCM16."""
    return np.clip(samples * 32767, -32768, 32767).astype(np.int16)


def trimmed(samples: Samples) -> Samples:
    """The sound from its first to its last window that is not quiet."""
    levels = _levels(samples)
    if not len(levels):
        return samples
    loud = np.flatnonzero(levels > levels.max() - QUIET_DB)
    return samples[int(loud[0]) * WINDOW : (int(loud[-1]) + 1) * WINDOW]


def level(samples: Samples) -> float:
    """The level of the loud half of the sound, in dB of full scale."""
    levels = _levels(samples)
    if not len(levels):
        return -120.0
    loud = levels[levels >= np.median(levels)]
    return float(10 * np.log10(np.mean(10 ** (loud / 10))))


def at_level(samples: Samples, dbfs: float = SPEECH_DBFS) -> Samples:
    """The sound made as loud as `dbfs`, but never clipped."""
    if not len(samples):
        return samples
    gain = 10 ** ((dbfs - level(samples)) / 20)
    peak = float(np.abs(samples.astype(np.float64)).max()) or 1.0
    return (samples * min(gain, 32000 / peak)).astype(np.int16)


def room(ms: float, seed: int = 0) -> Samples:
    """So much of a quiet room's noise."""
    noise = np.random.default_rng(seed).standard_normal(int(ms * RATE / 1000))
    return pcm(noise * 10 ** (ROOM_DBFS / 20))


def joined(*parts: Samples) -> Samples:
    """One after another."""
    return np.concatenate(parts).astype(np.int16)


def part(samples: Samples, begin: float, end: float) -> Samples:
    """From `begin` to `end`, in seconds, with edges of 5 ms that do not click."""
    cut = samples[int(begin * RATE) : int(end * RATE)].astype(np.float64)
    edge = min(RATE // 200, len(cut) // 2)
    if edge:
        ramp = np.linspace(0, 1, edge)
        cut[:edge] *= ramp
        cut[-edge:] *= ramp[::-1]
    return cut.astype(np.int16)


def higher(samples: Samples, factor: float) -> Samples:
    """The sound at `factor` times its pitch and speed: another person, as it were."""
    floats = soxr.resample(samples.astype(np.float64) / 32768, RATE * factor, RATE)
    return pcm(np.asarray(floats))


def seconds(samples: Samples) -> float:
    """How long it is."""
    return len(samples) / RATE


def _levels(samples: Samples) -> Floats:
    windows = samples[: len(samples) // WINDOW * WINDOW].reshape(-1, WINDOW).astype(np.float64)
    power = (windows**2).mean(axis=1) / 32768**2
    return np.asarray(10 * np.log10(np.maximum(power, 1e-12)))
