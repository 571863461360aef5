"""A hearing whose voice activity and transcriber are told what to do."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import numpy as np

from parley.frames import AudioFrame
from parley.messages import (
    EndOfTurn,
    HearingSpec,
    JobMessage,
    Mute,
    SpeechProgress,
    Transcription,
)
from parley.providers import Cue, Emit, Heard, ProviderSettings, Transcriber
from parley_stt.hearing import Hearing

SPEC = HearingSpec(provider="test", sample_rate=16_000, endpointing_ms=320)

STEPS = 100_000
"""Turns of the event loop, after which what has not come will not."""


def audio_of(picture: str) -> bytes:
    """Each '#' is 32 ms of voice, each '.' 32 ms of silence."""
    levels = [8192 if level == "#" else 0 for level in picture]
    return np.repeat(np.array(levels, "<i2"), 512).tobytes()


class Job:
    """A job whose inbox is a script; its first audio is `position` samples into the call."""

    def __init__(self, position: int = 0) -> None:
        self.context: dict[str, object] = {}
        self.sent: list[tuple[type[JobMessage], dict[str, Any]]] = []
        self.position = position
        self._inbox: asyncio.Queue[AudioFrame | Mute] = asyncio.Queue()

    def put(self, item: AudioFrame | Mute) -> None:
        self._inbox.put_nowait(item)

    def say(self, picture: str) -> None:
        """Hear `audio_of(picture)`, one window a frame."""
        for level in picture:
            self.put_audio(audio_of(level))

    def put_audio(self, pcm: bytes) -> None:
        self.put(AudioFrame(0, 1, 0, 0, self.position, pcm))
        self.position += len(pcm) // 2

    async def receive(self) -> AudioFrame | Mute:
        return await self._inbox.get()

    async def send(self, kind: type[JobMessage], **fields: Any) -> None:
        self.sent.append((kind, fields))

    @property
    def kinds(self) -> list[type[JobMessage]]:
        return [kind for kind, _ in self.sent if kind is not SpeechProgress]

    @property
    def finals(self) -> list[tuple[str, float]]:
        """The final transcriptions and their positions."""
        return [
            (fields["message"], fields["position_ms"])
            for kind, fields in self.sent
            if kind is Transcription and fields["is_final"]
        ]


class VoiceActivity:
    """Hears voice in all that is not silent; counts the windows."""

    def __init__(self) -> None:
        self.windows = 0

    @contextmanager
    def listener(self) -> Iterator["VoiceActivity"]:
        yield self

    async def probabilities(self, windows: Sequence[bytes]) -> list[float]:
        await asyncio.sleep(0)
        self.windows += len(windows)
        return [1.0 if any(window) else 0.0 for window in windows]


class Scribe(Transcriber):
    """Says "words" when finalized, and remembers what it got."""

    def __init__(self) -> None:
        super().__init__(ProviderSettings(), "en")
        self.got: list[bytes | Cue] = []
        self.answers = True

    async def transcribe(self, audio: AsyncIterator[bytes | Cue], emit: Emit) -> None:
        async for item in audio:
            self.got.append(item)
            if item is Cue.FINALIZE and self.answers:
                emit(Heard("words", True, 0.8, 12.0))

    @property
    def cues(self) -> list[Cue]:
        return [item for item in self.got if isinstance(item, Cue)]


@asynccontextmanager
async def hearing(
    job: Job,
    scribe: Transcriber,
    spec: HearingSpec = SPEC,
    voice_activity: VoiceActivity | None = None,
) -> AsyncIterator["asyncio.Task[None]"]:
    """Run the hearing. It is cancelled at the end, but raises what it failed with."""
    one = Hearing(spec, scribe, voice_activity or VoiceActivity())  # type: ignore[arg-type]
    running = asyncio.create_task(one.run(job))  # type: ignore[arg-type]
    try:
        yield running
    finally:
        running.cancel()
        await asyncio.wait([running])
    if not running.cancelled():
        running.result()


async def until(condition: Callable[[], bool], running: "asyncio.Task[None]") -> None:
    """Let things happen until the condition holds or the hearing ends. Nothing here takes time."""
    for _ in range(STEPS):
        if condition() or running.done():
            return
        await asyncio.sleep(0)
    raise AssertionError("what is waited for does not come")


async def settle() -> None:
    """Let everything happen that waits for nothing."""
    for _ in range(20):
        await asyncio.sleep(0)


async def hear(job: Job, scribe: Transcriber, turns: int = 1, spec: HearingSpec = SPEC) -> None:
    """Run the hearing until it has told so many ends of turn."""
    async with hearing(job, scribe, spec) as running:
        await until(lambda: job.kinds.count(EndOfTurn) >= turns, running)
