"""What the caller's ear hears of the bot, sample by sample on one steady clock. Pure.

A position counts samples since that clock's zero. What is written stays for a few seconds: as
long as the caller's audio may be on its way.
"""

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]

KEPT_SECONDS = 4.0
"""Echo that comes later than this is not known any more."""
SLACK_SECONDS = 0.01
"""Clocks round and ticks are late: a gap this short is none."""


class EarTrack:
    """The bot's audio as it is heard, PCM16 mono at `rate` Hz; silence where there is none."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._ring: Samples = np.zeros(int(KEPT_SECONDS * rate), np.int16)
        self._end = 0

    def play(self, at: float, pcm: bytes) -> None:
        """This is heard from `at` (s) on, or else right after what is there."""
        start = round(at * self._rate)
        if start > self._end + SLACK_SECONDS * self._rate:
            self._write(np.zeros(min(start - self._end, len(self._ring)), np.int16), start)
        samples = np.frombuffer(pcm, np.int16)
        self._write(samples, self._end + len(samples))

    def cut(self, at: float) -> None:
        """Nothing of what is there is heard from `at` (s) on."""
        start = max(round(at * self._rate), self._end - len(self._ring))
        if start < self._end:
            self._write(np.zeros(self._end - start, np.int16), self._end)
            self._end = start

    def take(self, position: int, count: int) -> Samples:
        """The `count` samples from `position` on."""
        out = np.zeros(count, np.int16)
        first = max(position, self._end - len(self._ring))
        last = min(position + count, self._end)
        if first < last:
            places = np.arange(first, last) % len(self._ring)
            out[first - position : last - position] = self._ring[places]
        return out

    def _write(self, samples: Samples, end: int) -> None:
        """Put them so that they end there."""
        samples = samples[-len(self._ring) :]
        self._ring[np.arange(end - len(samples), end) % len(self._ring)] = samples
        self._end = end
