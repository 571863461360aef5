"""A tts job with a synthesizer of the test's own."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from parley.marks import Mark
from parley.messages import JobRequest, Retry, SegmentSpoken, Speak, SpeakEnd, SpeechMarks
from parley.providers import (
    ChunkResult,
    ProviderError,
    ProviderSettings,
    SynthesisResult,
    Synthesizer,
)
from parley.subjects import Stage
from parley_tts.speaking import SpeechHandler, speak_turn

RATE = 16_000


class Tones(Synthesizer):
    """Says each word as 250 ms of a constant."""

    closed = False

    async def create_speech(self, message: str) -> SynthesisResult:
        async def chunks() -> AsyncGenerator[ChunkResult, None]:
            try:
                for index, word in enumerate(message.split()):
                    result.marks.append(Mark(word, message.index(word), index * 250, 250))
                    await asyncio.sleep(0)
                    yield ChunkResult(b"\1\0" * (RATE // 4))
            finally:
                self.closed = True

        result = SynthesisResult(message, RATE, chunks())
        return result


class FakeJob:
    """What the handler sees of a job."""

    def __init__(self, *inbox: tuple[int, str] | None) -> None:
        self.inbox: asyncio.Queue[Any] = asyncio.Queue()
        self.sent: list[Any] = []
        for seq, item in enumerate(inbox):
            fields = {"turn": 1, "attempt": 1, "seq": seq}
            message = (
                SpeakEnd(**fields)
                if item is None
                else Speak(**fields, segment=item[0], text=item[1])
            )
            self.inbox.put_nowait(message)

    async def receive(self) -> Any:
        return await self.inbox.get()

    async def send(self, kind: type, **fields: Any) -> None:
        self.sent.append((kind, fields))

    async def send_audio(self, segment: int, position: int, pcm: bytes) -> None:
        self.sent.append((bytes, {"segment": segment, "position": position, "pcm": pcm}))

    def of(self, kind: type) -> list[Any]:
        return [fields for sent, fields in self.sent if sent is kind]


async def speak(job: Any, rate: int = RATE) -> Tones:
    synthesizer = Tones(ProviderSettings(), "en-US")
    await speak_turn(synthesizer, rate, job)
    return synthesizer


async def test_segments_are_spoken_in_order_and_their_audio_adds_up() -> None:
    job = FakeJob((0, "one two"), (1, "three"), None)
    await speak(job)
    assert [spoken["duration_ms"] for spoken in job.of(SegmentSpoken)] == [500, 250]
    frames = job.of(bytes)
    assert [frame["segment"] for frame in frames] == [0] * 6 + [1] * 3
    assert [frame["position"] for frame in frames[:3]] == [0, 1600, 3200]
    assert max(len(frame["pcm"]) for frame in frames) == 3200


async def test_marks_come_before_the_audio_they_tell_of() -> None:
    job = FakeJob((0, "one two"), None)
    await speak(job)
    assert [kind for kind, _ in job.sent].index(SpeechMarks) == 0
    assert [mark.word for sent in job.of(SpeechMarks) for mark in sent["marks"]] == ["one", "two"]


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 48_000])
async def test_resampled_speech_keeps_its_length(rate: int) -> None:
    job = FakeJob((0, "one two"), None)
    await speak(job, rate)
    pcm = sum(len(frame["pcm"]) for frame in job.of(bytes))
    assert job.of(SegmentSpoken)[0]["duration_ms"] == pcm * 500 / rate
    assert pcm * 500 / rate == pytest.approx(500, abs=1)


async def test_an_empty_segment_is_spoken_too() -> None:
    job = FakeJob((0, ""), None)
    await speak(job)
    assert job.sent == [(SegmentSpoken, {"segment": 0, "duration_ms": 0.0})]


async def test_a_later_attempt_may_begin_with_a_later_segment() -> None:
    job = FakeJob((3, "one"), (4, "two"), None)
    await speak(job)
    assert [spoken["segment"] for spoken in job.of(SegmentSpoken)] == [3, 4]


async def test_a_lost_segment_fails_the_job() -> None:
    with pytest.raises(ProviderError, match="segment 1 "):
        await speak(FakeJob((0, "one"), (2, "three"), None))


async def test_cancelling_stops_the_synthesis() -> None:
    synthesizer = Tones(ProviderSettings(), "en-US")
    job: Any = FakeJob((0, "word " * 10_000))
    task = asyncio.create_task(speak_turn(synthesizer, RATE, job))
    while not job.sent:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert synthesizer.closed


def request(**spec: Any) -> JobRequest:
    return JobRequest(stage=Stage.TTS, conversation_id="c", turn=1, attempt=1, spec=spec)


def test_a_job_that_cannot_be_run_is_refused() -> None:
    handler = SpeechHandler()
    for spec in (
        {"provider": "hibari", "sample_rate": 11_025},
        {"provider": "hibari", "sample_rate": 16_000, "settings": {"voice": "nobody"}},
        {"provider": "hibari", "sample_rate": 16_000, "settings": {"speed": 9}},
        {"provider": "hibari", "sample_rate": 16_000, "language": "de-DE"},
    ):
        with pytest.raises(ProviderError) as refused:
            handler.open(request(**spec))
        assert refused.value.retry is Retry.NEVER


def test_jobs_with_the_same_settings_share_a_synthesizer() -> None:
    handler = SpeechHandler()
    for speed in (1.0, 1.0, 1.5):
        handler.open(request(provider="hibari", sample_rate=16_000, settings={"speed": speed}))
    assert len(handler._synthesizers) == 2
