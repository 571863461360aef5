"""WAV files in and out. Samples are int16 arrays; PCM16 is the only format in a file."""

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from parley.audio import Resampler
from parley_cli.errors import Failure

Samples = NDArray[np.int16]


def read(path: Path, sample_rate: int) -> Samples:
    """The file's speech, mono, at `sample_rate` Hz. Raises Failure for what cannot be read."""
    try:
        with wave.open(str(path), "rb") as file:
            width, channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
            data = file.readframes(file.getnframes())
    except OSError as error:
        raise Failure(f"cannot read {path}: {error.strerror}") from None
    except (wave.Error, EOFError) as error:
        raise Failure(
            f"cannot read {path}: not a PCM WAV file ({error}). "
            f"Convert it: ffmpeg -i {path} -c:a pcm_s16le speech.wav"
        ) from None
    if width != 2:
        raise Failure(
            f"cannot read {path}: {8 * width}-bit samples, only 16-bit ones are read. "
            f"Convert it: ffmpeg -i {path} -c:a pcm_s16le speech.wav"
        )
    whole = len(data) // (2 * channels) * 2 * channels  # a file cut short may end in mid-frame
    mono = np.frombuffer(data[:whole], "<i2").reshape(-1, channels).mean(axis=1).astype("<i2")
    return np.frombuffer(Resampler(rate, sample_rate).push(mono.tobytes(), last=True), "<i2")


def write_stereo(path: Path, left: Samples, right: Samples, sample_rate: int) -> None:
    """Write two channels; the shorter one is filled up with silence."""
    both = np.zeros((max(len(left), len(right)), 2), "<i2")
    both[: len(left), 0] = left
    both[: len(right), 1] = right
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(path), "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(sample_rate)
            file.writeframes(both.tobytes())
    except OSError as error:
        raise Failure(f"cannot write {path}: {error.strerror}") from None
