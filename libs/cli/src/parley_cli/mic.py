"""A live microphone and loudspeaker, through PortAudio."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import numpy as np

from parley_cli.call import Call
from parley_cli.errors import Failure
from parley_cli.wav import Samples

LATE_MS = 200
"""More than so much audio is never queued, in either direction; the oldest goes."""


class Line:
    """Samples on their way to another thread. Of more than `limit` the oldest are dropped."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = Lock()
        self._samples = np.zeros(0, np.int16)

    def put(self, samples: Samples) -> None:
        """Add some."""
        with self._lock:
            self._samples = np.concatenate([self._samples, samples])[-self._limit :]

    def take(self, count: int) -> Samples:
        """The next `count`; silence where there are fewer."""
        with self._lock:
            taken, self._samples = self._samples[:count], self._samples[count:]
        return np.pad(taken, (0, count - len(taken)))


@contextmanager
def attached(call: Call) -> Iterator[None]:
    """The call's caller is the microphone, its bot the loudspeaker. Raises Failure."""
    sound = _portaudio()
    rate = call.options.sample_rate
    limit = rate * LATE_MS // 1000
    loop = asyncio.get_running_loop()
    output = Line(limit)

    def hear(samples: Samples) -> None:
        if call.voice.pending < limit:
            call.play(samples)

    # Both run in PortAudio's thread.
    def record(data: Any, *_: object) -> None:
        samples = np.frombuffer(bytes(data), np.int16)
        loop.call_soon_threadsafe(hear, samples)

    def speak(data: Any, frames: int, *_: object) -> None:
        data[:] = output.take(frames).tobytes()

    shape = {"samplerate": rate, "channels": 1, "dtype": "int16", "blocksize": rate // 50}
    try:
        microphone = sound.RawInputStream(callback=record, **shape)
        loudspeaker = sound.RawOutputStream(callback=speak, **shape)
    except sound.PortAudioError as error:
        raise Failure(f"cannot open the microphone or the loudspeaker: {error}") from None
    with microphone, loudspeaker:
        call.playback.speaker = output.put
        try:
            yield
        finally:
            call.playback.speaker = None


def _portaudio() -> Any:
    try:
        import sounddevice
    except ImportError:
        raise Failure(
            "--mic needs the sounddevice package. Run: pip install 'parley-voice-cli[mic]'"
        ) from None
    except OSError:
        raise Failure(
            "--mic needs PortAudio. Run: apt-get install libportaudio2 (or brew install portaudio)"
        ) from None
    return sounddevice
