"""What is let through while the canceller still learns the caller's room. Pure.

It needs the bot's voice to learn from, and for the first seconds of that some echo is left.
Voice activity does not mind how faint a voice is, so what is left would be taken for the caller.
"""

import numpy as np
from numpy.typing import NDArray

from parley_gateway.echo.ear import Samples

DEAF_SECONDS = 1.0
"""For the first so much of the bot's voice nothing is let through: not even the delay is known."""
SETTLED_SECONDS = 2.5
"""After so much of it everything is."""
ECHO_SECONDS = 0.6
"""How long after the bot's last sound echo may come."""
SILENT = 100.0
"""The root mean square, in units of PCM16, below which the ear hears silence."""
TAKEN_DB, LEFT_DB = -8.0, -4.0
"""A frame that lost so much is all echo, one that lost so little is the caller; in between it
fades."""
SMOOTHING = 0.7
"""Of the level over frames of 10 ms."""


class Settling:
    """Silences what must be left of the bot's echo. Frames have `frame` samples, 10 ms."""

    def __init__(self, frame: int) -> None:
        self._frame = frame
        self._bot_frames = 0
        self._quiet_frames = 0
        self._levels = np.ones(2)
        self._gain = 1.0

    def let_through(self, microphone: Samples, ear: Samples, cleaned: Samples) -> Samples:
        """What of `cleaned`, which the canceller has made of the others, is the caller's."""
        if self._bot_frames >= SETTLED_SECONDS * 100:
            return cleaned
        out = cleaned.copy()
        for at in range(0, len(out), self._frame):
            part = slice(at, at + self._frame)
            gain = self._gain_of(microphone[part], ear[part], cleaned[part])
            out[part] = cleaned[part] * np.linspace(self._gain, gain, self._frame)
            self._gain = gain
        return out

    def _gain_of(self, microphone: Samples, ear: Samples, cleaned: Samples) -> float:
        self._quiet_frames += 1
        if _power(ear) > SILENT**2:
            self._bot_frames += 1
            self._quiet_frames = 0
        now = np.array([_power(cleaned), _power(microphone)]) + 1.0
        self._levels = SMOOTHING * self._levels + (1 - SMOOTHING) * now
        if not self._bot_frames or self._quiet_frames > ECHO_SECONDS * 100:
            return 1.0
        if self._bot_frames < DEAF_SECONDS * 100:
            return 0.0
        left_db = 10 * np.log10(self._levels[0] / self._levels[1])
        return float(np.clip((left_db - TAKEN_DB) / (LEFT_DB - TAKEN_DB), 0.0, 1.0))


def _power(samples: NDArray[np.int16]) -> float:
    return float(np.mean(samples.astype(np.float32) ** 2))
