"""A live microphone and loudspeaker, through PortAudio."""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from parley_cli.call import Call
from parley_cli.errors import Failure
from parley_cli.wav import Samples

LATE_MS = 200
"""More than so much audio is never queued, in either direction; the oldest goes."""


@contextmanager
def attached(call: Call) -> Iterator[None]:
    """The call's caller is the microphone, its bot the loudspeaker. Raises Failure."""
    sound = _portaudio()
    rate = call.options.sample_rate
    limit = rate * LATE_MS // 1000
    loop = asyncio.get_running_loop()
    output: deque[Samples] = deque(maxlen=LATE_MS // 20)

    def hear(samples: Samples) -> None:
        if call.voice.pending < limit:
            call.play(samples)

    # Both run in PortAudio's thread.
    def record(data: Any, *_: object) -> None:
        samples = np.frombuffer(bytes(data), np.int16)
        loop.call_soon_threadsafe(hear, samples)

    def speak(data: Any, frames: int, *_: object) -> None:
        chunk = output.popleft() if output else np.zeros(0, np.int16)
        data[:] = np.pad(chunk[:frames], (0, max(0, frames - len(chunk)))).tobytes()

    shape = {"samplerate": rate, "channels": 1, "dtype": "int16", "blocksize": rate // 50}
    try:
        microphone = sound.RawInputStream(callback=record, **shape)
        loudspeaker = sound.RawOutputStream(callback=speak, **shape)
    except sound.PortAudioError as error:
        raise Failure(f"cannot open the microphone or the loudspeaker: {error}") from None
    with microphone, loudspeaker:
        call.device.speaker = output.append
        try:
            yield
        finally:
            call.device.speaker = None


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
