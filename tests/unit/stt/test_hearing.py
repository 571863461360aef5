"""The hearing's pipeline, with a voice activity and a transcriber that are told what to do."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from parley.frames import AudioFrame
from parley.messages import (
    EndOfTurn,
    HearingSpec,
    JobMessage,
    JobRequest,
    Mute,
    Retry,
    SpeechEnded,
    SpeechProgress,
    SpeechStarted,
    Transcription,
)
from parley.providers import (
    Cue,
    Emit,
    Heard,
    ProviderError,
    ProviderSettings,
    Transcriber,
    TranscriberCapabilities,
    TurnEnded,
)
from parley.subjects import Stage
from parley_stt import reporter
from parley_stt.hearing import Hearing, HearingHandler

SPEC = HearingSpec(provider="test", sample_rate=16_000, endpointing_ms=320)


class Job:
    """A job whose inbox is a script; the hearing is cancelled once it is quiet."""

    def __init__(self) -> None:
        self.context: dict[str, object] = {}
        self.sent: list[tuple[type[JobMessage], dict[str, Any]]] = []
        self._inbox: asyncio.Queue[AudioFrame | Mute] = asyncio.Queue()
        self._position = 0

    def put(self, item: AudioFrame | Mute) -> None:
        self._inbox.put_nowait(item)

    def say(self, picture: str) -> None:
        """Each '#' is 32 ms of voice, each '.' 32 ms of silence."""
        for level in picture:
            pcm = np.full(512, 8192 if level == "#" else 0, "<i2").tobytes()
            self.put(AudioFrame(0, 1, 0, 0, self._position, pcm))
            self._position += 512

    async def receive(self) -> AudioFrame | Mute:
        return await self._inbox.get()

    async def send(self, kind: type[JobMessage], **fields: Any) -> None:
        self.sent.append((kind, fields))

    @property
    def kinds(self) -> list[type[JobMessage]]:
        return [kind for kind, _ in self.sent if kind is not SpeechProgress]


class Listener:
    async def probability(self, window: bytes, hurry: bool = False) -> float:
        return 1.0 if any(window) else 0.0


class VoiceActivity:
    @contextmanager
    def listener(self) -> Iterator[Listener]:
        yield Listener()


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


async def hear(job: Job, scribe: Transcriber, turns: int = 1) -> None:
    """Run the hearing until it has told so many ends of turn and its inbox is empty."""
    hearing = Hearing(SPEC, scribe, VoiceActivity())  # type: ignore[arg-type]
    running = asyncio.create_task(hearing.run(job))  # type: ignore[arg-type]
    async with asyncio.timeout(5):
        while job.kinds.count(EndOfTurn) < turns and not running.done():
            await asyncio.sleep(0)
    running.cancel()
    try:
        await running
    except asyncio.CancelledError:
        return


async def test_a_turn_on_the_wire() -> None:
    job, scribe = Job(), Scribe()
    job.say(".." + "#" * 6 + "." * 12)
    await hear(job, scribe)
    assert job.sent == [
        (SpeechStarted, {"position_ms": 64}),
        (SpeechProgress, {"speech_ms": 96, "position_ms": 160}),
        (SpeechProgress, {"speech_ms": 192, "position_ms": 256}),
        (SpeechEnded, {"position_ms": 256}),
        (
            Transcription,
            {
                "message": "words",
                "confidence": 0.8,
                "is_final": True,
                "position_ms": 576,
                "took_ms": 12.0,
            },
        ),
        (EndOfTurn, {"position_ms": 256 + 320}),
    ]
    assert scribe.cues == [Cue.SPEECH_STARTED, Cue.PAUSE, Cue.FINALIZE]


async def test_cues_come_between_the_right_chunks() -> None:
    job, scribe = Job(), Scribe()
    job.say(".." + "#" * 6 + "." * 12)
    await hear(job, scribe)
    assert scribe.got.index(Cue.SPEECH_STARTED) == 5
    assert scribe.got.index(Cue.PAUSE) == 8 + 6 + 1


async def test_while_muted_nobody_hears_anything() -> None:
    job, scribe = Job(), Scribe()
    job.put(Mute(muted=True))
    job.say("#" * 20)
    job.put(Mute(muted=False))
    job.say("#" * 5 + "." * 12)
    await hear(job, scribe)
    chunks = [item for item in scribe.got if isinstance(item, bytes)]
    assert chunks[:20] == [bytes(1024)] * 20
    assert job.sent[0] == (SpeechStarted, {"position_ms": 640})


async def test_a_turn_without_a_final_ends_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporter, "FINAL_SECONDS", 0.001)
    job, scribe = Job(), Scribe()
    scribe.answers = False
    job.say("#" * 6 + "." * 12)
    await hear(job, scribe)
    assert job.kinds == [SpeechStarted, SpeechEnded, EndOfTurn]


class Committer(Scribe):
    """Gives a final of its own accord before it takes FINALIZE, and another after."""

    async def transcribe(self, audio: AsyncIterator[bytes | Cue], emit: Emit) -> None:
        async for item in audio:
            if item is Cue.PAUSE:
                emit(Heard("one", True))
            if item is Cue.FINALIZE:
                emit(Heard("two", True))


async def test_the_turn_ends_after_its_last_final() -> None:
    job = Job()
    job.say("#" * 6 + "." * 12)
    await hear(job, Committer())
    assert job.kinds == [SpeechStarted, SpeechEnded, Transcription, Transcription, EndOfTurn]


async def test_turns_that_overtake_their_finals_all_end() -> None:
    job = Job()
    job.say(("#" * 6 + "." * 12) * 3)
    await hear(job, Committer(), turns=3)
    assert job.kinds.count(Transcription) == 6
    assert job.kinds[-2:] == [Transcription, EndOfTurn]


class TurnDetector(Scribe):
    capabilities = TranscriberCapabilities(detects_end_of_turn=True)

    async def transcribe(self, audio: AsyncIterator[bytes | Cue], emit: Emit) -> None:
        async for item in audio:
            if item is Cue.PAUSE:
                emit(Heard("words", True))
                emit(TurnEnded())


async def test_a_transcriber_may_end_the_turn_itself() -> None:
    job = Job()
    job.say("#" * 6 + "." * 30)
    await hear(job, TurnDetector())
    assert job.kinds == [SpeechStarted, SpeechEnded, Transcription, EndOfTurn]


class Broken(Scribe):
    async def transcribe(self, audio: AsyncIterator[bytes | Cue], emit: Emit) -> None:
        raise ProviderError("no more", Retry.LATER)


async def test_a_provider_error_is_the_jobs() -> None:
    with pytest.raises(ProviderError, match="no more") as caught:
        await hear(Job(), Broken())
    assert caught.value.retry is Retry.LATER


class Quitter(Scribe):
    async def transcribe(self, audio: AsyncIterator[bytes | Cue], emit: Emit) -> None:
        await anext(audio)


async def test_a_transcriber_that_stops_is_a_failure() -> None:
    job = Job()
    job.say("...")
    with pytest.raises(ProviderError, match="stopped listening"):
        await hear(job, Quitter())


def request(**spec: Any) -> JobRequest:
    fields = {"provider": "moonshine", "sample_rate": 16_000, "endpointing_ms": 700, **spec}
    return JobRequest(stage=Stage.STT, conversation_id="c", turn=0, attempt=1, spec=fields)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"provider": "nobody"}, "no stt provider 'nobody'"),
        ({"language": "fr-FR"}, "English only"),
        ({"sample_rate": 11_025}, "11025 Hz"),
        ({"settings": {"nonsense": 1}}, "setting nonsense"),
    ],
)
async def test_what_cannot_be_heard_is_refused(spec: dict[str, Any], reason: str) -> None:
    handler = HearingHandler(VoiceActivity())  # type: ignore[arg-type]
    with pytest.raises(ProviderError, match=reason):
        handler.open(request(**spec))


async def test_what_can_be_heard_is_opened() -> None:
    handler = HearingHandler(VoiceActivity())  # type: ignore[arg-type]
    run = handler.open(request(language="en-GB", settings={"partial_ms": 600}))
    assert callable(run)
