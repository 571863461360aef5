"""The hearing's pipeline, with a voice activity and a transcriber that are told what to do."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from unit.stt.scribe import Job, Scribe, VoiceActivity, hear

from parley.messages import (
    EndOfTurn,
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
    TranscriberCapabilities,
    TurnEnded,
)
from parley.subjects import Stage
from parley_stt.hearing import HearingHandler


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
                "position_ms": 576 - 128,
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
    assert scribe.got.index(Cue.PAUSE) == 2 + 6 + 3 + 1


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


class Committer(Scribe):
    """Gives a final of its own accord before it takes FINALIZE, and another after."""

    async def transcribe(self, audio: AsyncIterator[bytes | Cue], emit: Emit) -> None:
        async for item in audio:
            if item is Cue.PAUSE:
                emit(Heard("one", True, end_ms=96))
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
