"""A tts job with a synthesizer of the test's own."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from parley.marks import Mark
from parley.messages import JobRequest, Retry, SegmentSpoken, Speak, SpeakEnd, SpeechMarks
from parley.providers import (
    ChunkResult,
    InputLost,
    Patience,
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
                yield ChunkResult(b"", is_last_chunk=True)
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


async def test_a_lost_segment_fails_the_job_and_is_not_the_voices_fault() -> None:
    with pytest.raises(InputLost, match="segment 1 "):
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


class Chunks(Synthesizer):
    """Gives these chunks; a last one if there is an L; hangs at an H, before all others if first.

    What comes after a last chunk is never asked for.
    """

    patience = Patience(first=0.02, between=0.02)

    def __init__(self, kinds: str) -> None:
        super().__init__(ProviderSettings(), "en-US")
        self.kinds = kinds
        self.closed = False

    async def create_speech(self, message: str) -> SynthesisResult:
        if self.kinds == "no result":
            await asyncio.Event().wait()
        return SynthesisResult(message, RATE, self.chunks())

    async def chunks(self) -> AsyncGenerator[ChunkResult, None]:
        try:
            for kind in self.kinds:
                if kind == "H":
                    await asyncio.Event().wait()
                yield ChunkResult(bytes(320), is_last_chunk=kind == "L")
        finally:
            self.closed = True


@pytest.mark.parametrize(("kinds", "chunks"), [("L", 1), ("ccL", 3), ("cLH", 2), ("cLc", 2)])
async def test_speech_ends_with_its_last_chunk(kinds: str, chunks: int) -> None:
    synthesizer = Chunks(kinds)
    job: Any = FakeJob((0, "one"), None)
    await speak_turn(synthesizer, RATE, job)
    assert job.of(SegmentSpoken) == [{"segment": 0, "duration_ms": 10.0 * chunks}]
    assert synthesizer.closed


@pytest.mark.parametrize("kinds", ["", "c", "ccc"])
async def test_speech_that_just_stops_is_a_failure(kinds: str) -> None:
    job: Any = FakeJob((0, "one"), None)
    with pytest.raises(ProviderError, match="broke off") as failed:
        await speak_turn(Chunks(kinds), RATE, job)
    assert failed.value.retry is Retry.NOW
    assert job.of(SegmentSpoken) == []


@pytest.mark.parametrize("kinds", ["no result", "H", "cH"])
async def test_a_synthesizer_that_hangs_is_closed(kinds: str) -> None:
    synthesizer = Chunks(kinds)
    job: Any = FakeJob((0, "one"), None)
    async with asyncio.timeout(5):
        with pytest.raises(ProviderError, match=r"Chunks has given nothing for 0\.02 s") as failed:
            await speak_turn(synthesizer, RATE, job)
    assert failed.value.retry is Retry.NOW
    assert synthesizer.closed is (kinds != "no result")


async def test_time_that_the_text_takes_to_come_is_not_the_synthesizers() -> None:
    job: Any = FakeJob((0, "one"))
    task = asyncio.create_task(speak_turn(Chunks("L"), RATE, job))
    while not job.of(SegmentSpoken):
        await asyncio.sleep(0)
    await asyncio.sleep(3 * Chunks.patience.first)
    job.inbox.put_nowait(SpeakEnd(turn=1, attempt=1, seq=1))
    await task
