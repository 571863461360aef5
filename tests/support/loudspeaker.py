"""A caller on a loudspeaker: the microphone hears what the device plays."""

import numpy as np

from parley_cli.call import Call
from parley_cli.caller import CallerVoice
from parley_cli.wav import Samples

QUIETER_DB = 6.0
"""The echo against what is played."""
ROOM_SECONDS = 0.3
"""After so long a sound has fallen by 60 dB."""
DIRECT_DB = 3.0
"""What comes straight from the loudspeaker against what comes from the walls."""


def room(rate: int, seed: int = 1) -> np.ndarray:
    """The impulse response from loudspeaker to microphone: the direct sound, then the walls."""
    times = np.arange(int(ROOM_SECONDS * rate)) / rate
    walls = np.random.default_rng(seed).normal(size=len(times)) * 10 ** (-3 * times / ROOM_SECONDS)
    walls[times < 0.002] = 0.0
    walls *= 10 ** (-DIRECT_DB / 20) / np.linalg.norm(walls)
    walls[0] = 1.0
    return walls / np.linalg.norm(walls) * 10 ** (-QUIETER_DB / 20)


class LoudspeakerVoice(CallerVoice):
    """What the caller says, and the echo of what the device plays, `delay_ms` later."""

    def __init__(self, rate: int, delay_ms: float) -> None:
        super().__init__()
        self._room = room(rate)
        self._echo = np.zeros(int(delay_ms * rate / 1000))
        self._tail = np.zeros(len(self._room) - 1)

    def hear(self, played: Samples) -> None:
        """The device has played this."""
        if not len(played):
            return
        echo = np.convolve(played, self._room)
        echo[: len(self._tail)] += self._tail
        self._echo = np.concatenate([self._echo, echo[: len(played)]])
        self._tail = echo[len(played) :]

    def take(self, count: int) -> Samples:
        """The next `count` samples of the microphone."""
        echo, self._echo = self._echo[:count], self._echo[count:]
        total = super().take(count).astype(np.float64)
        total[: len(echo)] += echo
        return np.clip(total, -32768, 32767).astype(np.int16)


def put_on_loudspeaker(call: Call, delay_ms: float) -> None:
    """From here on the call's microphone hears its loudspeaker."""
    voice = LoudspeakerVoice(call.options.sample_rate, delay_ms)
    call.voice = call.device.voice = voice
    call.playback.speaker = voice.hear
