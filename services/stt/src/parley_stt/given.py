"""Where in the call the audio lies that a transcriber was given."""

from collections import deque

from parley_stt.endpointing import WINDOW_MS
from parley_stt.timeline import Window

PIECES = 256
"""Unbroken pieces that are remembered: one more for each long gap in the call's audio."""
_TOLERANCE_MS = 1e-3


class GivenAudio:
    """Counts what a transcriber was given; maps that clock onto the call's."""

    def __init__(self) -> None:
        self.ms = 0.0
        """How much audio was given so far."""
        self._pieces: deque[tuple[float, float]] = deque(maxlen=PIECES)

    def append(self, window: Window) -> None:
        """The transcriber gets this window now."""
        if not self._pieces or abs(window.position_ms - self.position_ms(self.ms)) > _TOLERANCE_MS:
            self._pieces.append((self.ms, window.position_ms))
        self.ms += WINDOW_MS

    def position_ms(self, given_ms: float) -> float:
        """Where in the call the first `given_ms` of what was given end; before a gap, if there."""
        at = next((piece for piece in reversed(self._pieces) if piece[0] < given_ms), None)
        begin_ms, position_ms = at or (self._pieces[0] if self._pieces else (0.0, 0.0))
        return position_ms + given_ms - begin_ms
