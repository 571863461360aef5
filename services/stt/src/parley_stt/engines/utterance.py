"""The audio that is still to be made a final transcription, and what came just before it."""

import numpy as np

from parley.audio import BYTES_PER_SAMPLE, HEARING_RATE, bytes_for, duration_ms, to_float
from parley.providers import CUE_LAG_MS

PRE_ROLL_MS = CUE_LAG_MS + 200
"""Audio kept from before speech was noticed: its onset, and a moment of silence."""
CUT_WINDOW_MS = 100
"""A forced cut falls into the quietest stretch of this length."""
CUT_SEARCH_MS = 5_000
"""... in the last so many ms."""


class Utterance:
    """PCM16 at 16 kHz: a rolling pre-roll, until `begin`; from then on everything."""

    def __init__(self) -> None:
        self._audio = bytearray()
        self._open = False
        self._removed = 0

    @property
    def is_open(self) -> bool:
        """Whether the audio is kept."""
        return self._open

    @property
    def ms(self) -> float:
        """How much audio there is."""
        return duration_ms(len(self._audio), HEARING_RATE)

    @property
    def begin_ms(self) -> float:
        """Where what is kept begins, in all the audio that was appended."""
        return duration_ms(self._removed, HEARING_RATE)

    @property
    def end_ms(self) -> float:
        """Where what is kept ends, in all the audio that was appended."""
        return self.begin_ms + self.ms

    def append(self, pcm: bytes) -> None:
        """Hear more."""
        self._audio += pcm
        if not self._open:
            self._trim()

    def begin(self) -> None:
        """Keep all audio from here on, and the pre-roll."""
        self._open = True

    def end(self) -> None:
        """Back to the pre-roll. Take the utterance first."""
        self._open = False
        self._trim()

    def audio(self) -> bytes:
        """All audio so far."""
        return bytes(self._audio)

    def take(self, size: int) -> bytes:
        """Remove and return the first `size` bytes."""
        taken = bytes(self._audio[:size])
        self._remove(len(taken))
        return taken

    def quietest_cut(self) -> int:
        """Where to cut so that hardly a word is hurt: bytes from the beginning."""
        window = HEARING_RATE * CUT_WINDOW_MS // 1000
        begin = max(0, len(self._audio) - bytes_for(CUT_SEARCH_MS, HEARING_RATE))
        samples = to_float(bytes(self._audio[begin:]))
        count = len(samples) // window
        if count == 0:
            return len(self._audio)
        energy = np.square(samples[: count * window]).reshape(count, window).sum(axis=1)
        middle = int(energy.argmin()) * window + window // 2
        return begin + middle * BYTES_PER_SAMPLE

    def _trim(self) -> None:
        excess = len(self._audio) - bytes_for(PRE_ROLL_MS, HEARING_RATE)
        if excess > 0:
            self._remove(excess)

    def _remove(self, size: int) -> None:
        del self._audio[:size]
        self._removed += size
