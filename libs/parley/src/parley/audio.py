"""PCM arithmetic and conversion. Audio inside Parley is PCM16, little-endian, mono."""

from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

HEARING_RATE = 16_000
"""Sample rate (Hz) at which transcribers and voice activity hear."""

SAMPLE_RATES = (8_000, 16_000, 24_000, 48_000)
"""Sample rates (Hz) that a client may use."""

BYTES_PER_SAMPLE = 2


def duration_ms(pcm_bytes: int, sample_rate: int) -> float:
    """The length in ms of that many bytes of PCM16 mono at `sample_rate` Hz."""
    return pcm_bytes * 1000 / (BYTES_PER_SAMPLE * sample_rate)


def bytes_for(ms: float, sample_rate: int) -> int:
    """The bytes of PCM16 mono at `sample_rate` Hz in `ms`, whole samples only."""
    return int(ms * sample_rate / 1000) * BYTES_PER_SAMPLE


def to_float(pcm: bytes) -> NDArray[np.float32]:
    """PCM16 bytes as float32 samples in [-1, 1)."""
    return np.frombuffer(pcm, np.int16).astype(np.float32) / np.float32(32768)


def from_float(samples: NDArray[np.floating[Any]]) -> bytes:
    """Float samples as PCM16 bytes; what is out of [-1, 1) is clipped."""
    return bytes((np.clip(samples, -1.0, 32767 / 32768) * 32768).astype("<i2").tobytes())


class Resampler:
    """Brings a stream of PCM16 mono from one rate (Hz) to another, chunk by chunk."""

    def __init__(self, from_rate: int, to_rate: int) -> None:
        same = from_rate == to_rate
        self._stream = None if same else soxr.ResampleStream(from_rate, to_rate, 1, dtype="int16")

    def push(self, pcm: bytes, last: bool = False) -> bytes:
        """The audio that is ready after `pcm`; `last` flushes what the filter still holds."""
        if self._stream is None:
            return pcm
        out = self._stream.resample_chunk(np.frombuffer(pcm, np.int16), last=last)
        return bytes(out.astype("<i2").tobytes())


def _mulaw_to_linear_table() -> NDArray[np.int16]:
    codes = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = (((codes & 0x0F) << 3) + 0x84) << ((codes & 0x70) >> 4)
    linear = np.where(codes & 0x80, 0x84 - magnitude, magnitude - 0x84)
    return linear.astype(np.int16)


def _linear_to_mulaw_table() -> NDArray[np.uint8]:
    pcm = np.arange(-32768, 32768, dtype=np.int32)
    magnitude = np.minimum(np.abs(pcm), 32635) + 0x84
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    sign = np.where(pcm < 0, 0x80, 0)
    table: NDArray[np.uint8] = (~(sign | (exponent << 4) | mantissa) & 0xFF).astype(np.uint8)
    return table


_MULAW_TO_LINEAR = _mulaw_to_linear_table()
_LINEAR_TO_MULAW = _linear_to_mulaw_table()


def mulaw_decode(data: bytes) -> bytes:
    """ITU-T G.711 mu-law bytes as PCM16."""
    return bytes(_MULAW_TO_LINEAR[np.frombuffer(data, np.uint8)].astype("<i2").tobytes())


def mulaw_encode(pcm: bytes) -> bytes:
    """PCM16 as ITU-T G.711 mu-law bytes."""
    index = np.frombuffer(pcm, "<i2").astype(np.int32) + 32768
    return bytes(_LINEAR_TO_MULAW[index].tobytes())
