"""When the caller's samples were taken, as far as their arrival tells. Pure.

Their count is a better clock than their arrival: the network delays each chunk by another
while. So the first chunk to arrive is the anchor, and samples are counted from there. The anchor
moves when it proves wrong: when audio comes earlier than it can, and when for some time all of it
comes late, because the microphone was off or its clock is slow.
"""

TOLERANCE_SECONDS = 0.02
"""An anchor is good enough if it is right within this."""
LATE_SECONDS = 0.5
"""What comes late for so long was taken late. After a stalled network audio catches up sooner."""


class MicClock:
    """Gives each of the caller's samples its position: samples at `rate` Hz since time zero."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._tolerance = round(TOLERANCE_SECONDS * rate)
        self._next: int | None = None
        self._late_since: float | None = None
        self._least = 0

    def take(self, count: int, now: float) -> int:
        """The position of the first of the next `count` samples, which have come at `now` (s)."""
        latest = round(now * self._rate) - count
        if self._next is None or latest < self._next - self._tolerance:
            position, self._late_since = latest, None
        else:
            position = self._next + self._moved(latest - self._next, now)
        self._next = position + count
        return position

    def _moved(self, late: int, now: float) -> int:
        """By how much (samples) the anchor moves, now that audio is so `late`."""
        if late <= self._tolerance:
            self._late_since = None
        elif self._late_since is None:
            self._late_since, self._least = now, late
        else:
            self._least = min(self._least, late)
            if now - self._late_since >= LATE_SECONDS:
                self._late_since = None
                return self._least
        return 0
