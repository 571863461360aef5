"""The caller's audio on its way to the server: counted, and kept for a while.

Positions count all audio since the call began, so that another connection can go on from
exactly where the server's knowledge ends.
"""

from collections.abc import Callable

KEPT_SECONDS = 18.0
OFFERED_SECONDS = 9.0
"""Less than is kept: more is captured before the server answers, and all of it must fit in
the 10 s by which audio may run ahead of real time."""
AHEAD_SECONDS = 9.8
CHUNK_SECONDS = 0.2
"""What has waited is sent in pieces of this length."""


class Uplink:
    """Takes audio as it is captured, hands it out as it may be sent."""

    def __init__(self, sample_rate: int, sample_bytes: int, clock: Callable[[], float]) -> None:
        self._rate = sample_rate
        self._width = sample_bytes
        self._clock = clock
        self._kept = bytearray()
        self._captured = 0
        self.go_on(0.0)

    def add(self, audio: bytes) -> None:
        """Audio has been captured."""
        self._kept += audio
        self._captured += len(audio) // self._width
        surplus = self._captured - self._oldest - int(KEPT_SECONDS * self._rate)
        if surplus > 0:
            del self._kept[: surplus * self._width]

    def offer_ms(self) -> float:
        """The position (ms) from which on another connection may have the audio."""
        oldest = self._captured - int(OFFERED_SECONDS * self._rate)
        return max(oldest, self._oldest, 0) * 1000 / self._rate

    def go_on(self, from_ms: float) -> None:
        """The next to be sent, on a connection that begins now, is what lies at `from_ms`."""
        self._began_at = self._clock()
        self._began_from = self._next = round(from_ms * self._rate / 1000)

    def take(self) -> bytes:
        """The next piece that is due; empty when there is none."""
        elapsed = self._clock() - self._began_at
        allowed = self._began_from + round((elapsed + AHEAD_SECONDS) * self._rate)
        longest = self._next + int(CHUNK_SECONDS * self._rate)
        end = min(self._captured, allowed, longest)
        if end <= self._next:
            return b""
        first, last = (max(at - self._oldest, 0) * self._width for at in (self._next, end))
        self._next = end
        return bytes(self._kept[first:last])

    @property
    def _oldest(self) -> int:
        return self._captured - len(self._kept) // self._width
