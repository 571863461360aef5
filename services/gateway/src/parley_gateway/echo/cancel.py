"""Echo policy `cancel`: the bot's own voice is taken out of what the caller's microphone hears."""

import numpy as np

from parley.audio import BYTES_PER_SAMPLE, bytes_for
from parley_gateway.echo.base import Echo
from parley_gateway.echo.canceller import FRAME_MS, Canceller
from parley_gateway.echo.ear import EarTrack
from parley_gateway.echo.microphone import MicClock
from parley_gateway.echo.settling import Settling


class EchoCancel(Echo):
    """One call's, at `rate` Hz. Less than 10 ms of the caller's audio is held back."""

    def __init__(self, rate: int) -> None:
        self._ear = EarTrack(rate)
        self._clock = MicClock(rate)
        self._canceller = Canceller(rate)
        self._frame = bytes_for(FRAME_MS, rate)
        self._settling = Settling(self._frame // BYTES_PER_SAMPLE)
        self._held = b""

    def played(self, at: float, pcm: bytes) -> None:
        """The ear hears this from `at` on, or else right after what it was given before."""
        self._ear.play(at, pcm)

    def cleared(self, at: float) -> None:
        """From `at` on the ear hears nothing of what it was given."""
        self._ear.cut(at)

    def heard(self, pcm: bytes, at: float) -> bytes:
        """What the caller said, of this audio that came at `at` and of what is held back."""
        position = self._clock.take(len(pcm) // BYTES_PER_SAMPLE, at)
        position -= len(self._held) // BYTES_PER_SAMPLE
        audio = self._held + pcm
        whole = len(audio) // self._frame * self._frame
        self._held = audio[whole:]
        if not whole:
            return b""
        microphone = np.frombuffer(audio[:whole], np.int16)
        ear = self._ear.take(position, len(microphone))
        cleaned = self._canceller.cancel(microphone, ear)
        return self._settling.let_through(microphone, ear, cleaned).tobytes()
