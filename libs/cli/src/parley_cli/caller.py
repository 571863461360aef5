"""What the caller says: speech in a queue, taken frame by frame, silence in between."""

import numpy as np

from parley_cli.wav import Samples


class CallerVoice:
    """The caller's side of the call, up to the microphone."""

    def __init__(self) -> None:
        self._pending: Samples = np.zeros(0, np.int16)

    @property
    def pending(self) -> int:
        """Samples of speech that are still to be said."""
        return len(self._pending)

    def play(self, samples: Samples) -> None:
        """Say this after what is already to be said."""
        self._pending = np.concatenate([self._pending, samples])

    def mix(self, samples: Samples) -> None:
        """Say this now, on top of what is being said."""
        total = np.zeros(max(len(self._pending), len(samples)), np.int32)
        total[: len(self._pending)] += self._pending
        total[: len(samples)] += samples
        self._pending = np.clip(total, -32768, 32767).astype(np.int16)

    def take(self, count: int) -> Samples:
        """The next `count` samples; silence where there is no speech."""
        speech, self._pending = self._pending[:count], self._pending[count:]
        if len(speech) == count:
            return speech
        return np.concatenate([speech, np.zeros(count - len(speech), np.int16)])
