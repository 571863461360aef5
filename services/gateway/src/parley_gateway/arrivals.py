"""When each part of the caller's audio arrived: turns positions in it into times. Pure."""

from bisect import bisect_left
from collections import deque

REMEMBERED = 1500
"""Frames remembered: half a minute of them."""


class Arrivals:
    """Maps a position (ms since the call's audio began) to the time (s) at which it was here."""

    def __init__(self) -> None:
        self._ends: deque[float] = deque(maxlen=REMEMBERED)
        self._times: deque[float] = deque(maxlen=REMEMBERED)

    def add(self, end_ms: float, now: float) -> None:
        """Audio up to `end_ms` is here at `now`."""
        self._ends.append(end_ms)
        self._times.append(now)

    def time_of(self, position_ms: float) -> float | None:
        """When that position arrived; None before any audio."""
        if not self._ends:
            return None
        index = min(bisect_left(self._ends, position_ms), len(self._ends) - 1)
        return self._times[index]
