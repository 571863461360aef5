"""Synthesised callers: the embedded voice, and those of Flite where the package can be had."""

import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import soxr

from benchmarks.turns import sounds
from benchmarks.turns.packages import unpacked
from parley_cli.wav import Samples
from parley_tts.hibari_engine import SAMPLE_RATE, HibariEngine

EMBEDDED = {"heart": 1.0, "heart-low": 0.85, "heart-high": 1.12}
"""The embedded voice at its own pitch and at others."""
FLITE = ("slt", "rms", "awb", "kal16")


def voices() -> list[str]:
    """The names of all voices that there are."""
    return [*EMBEDDED, *(FLITE if _flite() else ())]


@cache
def say(voice: str, text: str, speed: float = 1.0) -> Samples:
    """What `voice` says, trimmed and at the level of speech; `speed` 1.0 is its natural pace."""
    spoken = _embedded(voice, text, speed) if voice in EMBEDDED else _by_flite(voice, text, speed)
    return sounds.at_level(sounds.trimmed(spoken))


@cache
def _engine() -> HibariEngine:
    return HibariEngine()


def _embedded(voice: str, text: str, speed: float) -> Samples:
    spoken = _engine().say(text, speed)
    if spoken is None:
        raise ValueError(f"no sound in {text!r}")
    floats = np.asarray(soxr.resample(spoken.samples, SAMPLE_RATE, sounds.RATE), np.float64)
    return sounds.higher(sounds.pcm(floats), EMBEDDED[voice])


@cache
def _flite() -> Path | None:
    program, library = unpacked("flite"), unpacked("libflite1")
    if program is None or library is None:
        return None
    return program / "usr/bin/flite"


def _by_flite(voice: str, text: str, speed: float) -> Samples:
    program, library = _flite(), unpacked("libflite1")
    if program is None or library is None:
        raise FileNotFoundError("flite")
    folder = next(library.rglob("libflite.so.1")).parent
    with tempfile.TemporaryDirectory() as out:
        wav = Path(out) / "said.wav"
        stretch = f"duration_stretch={1 / speed:.3f}"
        subprocess.run(
            [program, "-voice", voice, "--setf", stretch, "-t", text, "-o", wav],
            env={**os.environ, "LD_LIBRARY_PATH": str(folder.resolve())},
            check=True,
            capture_output=True,
        )
        return sounds.read(wav)
