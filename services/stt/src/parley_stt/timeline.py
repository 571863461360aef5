"""One conversation's audio in one unbroken line: frames in, windows at 16 kHz out."""

from typing import NamedTuple

from parley.audio import BYTES_PER_SAMPLE, HEARING_RATE, Resampler
from parley_stt import metrics
from parley_stt.engines.silero import WINDOW_SAMPLES

WINDOW_BYTES = WINDOW_SAMPLES * BYTES_PER_SAMPLE
MAX_FILL_SECONDS = 1.0
"""A longer gap is filled with so much silence; positions jump over the rest."""
_POSITIONS = 1 << 32
"""A frame's position begins again after so many samples."""


class Window(NamedTuple):
    """512 samples of PCM16 at 16 kHz that begin `position_ms` into the call's audio."""

    position_ms: float
    pcm: bytes


class Timeline:
    """Puts frames at `sample_rate` Hz in line: fills what was lost, cuts what is repeated."""

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._resampler = Resampler(sample_rate, HEARING_RATE)
        self._max_fill = int(MAX_FILL_SECONDS * sample_rate)
        self._next = 0
        self._begun = False
        self._pending = bytearray()
        self._pending_ms = 0.0

    def push(self, position: int, pcm: bytes) -> list[Window]:
        """The windows that are complete with this frame; `position` samples came before it."""
        if not self._begun:
            self._begun = True
            self._jump(position)
        gap = _signed(position - self._next)
        filled: list[Window] = []
        if gap > 0:
            filled = self._fill(gap)
        elif gap < -self._max_fill:
            self._jump(gap)
        else:
            pcm = pcm[-gap * BYTES_PER_SAMPLE :]
        self._append(pcm)
        return filled + self._windows()

    def _fill(self, gap: int) -> list[Window]:
        metrics.GAP_SECONDS.inc(gap / self._rate)
        silent = min(gap, self._max_fill)
        self._append(bytes(silent * BYTES_PER_SAMPLE))
        # What was heard before the gap keeps its positions: only silence is left to jump.
        windows = self._windows()
        self._jump(gap - silent)
        return windows

    def _append(self, pcm: bytes) -> None:
        self._next += len(pcm) // BYTES_PER_SAMPLE
        self._pending += self._resampler.push(pcm)

    def _jump(self, samples: int) -> None:
        self._next += samples
        self._pending_ms += self._to_ms(samples)

    def _windows(self) -> list[Window]:
        complete = []
        while len(self._pending) >= WINDOW_BYTES:
            complete.append(Window(self._pending_ms, bytes(self._pending[:WINDOW_BYTES])))
            del self._pending[:WINDOW_BYTES]
            self._pending_ms += WINDOW_SAMPLES * 1000 / HEARING_RATE
        return complete

    def _to_ms(self, samples: int) -> float:
        return samples * 1000 / self._rate


def _signed(samples: int) -> int:
    half = _POSITIONS // 2
    return (samples + half) % _POSITIONS - half
