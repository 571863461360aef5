"""A tts job: one turn's text in, segment by segment; its speech out, in order."""

import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from functools import partial

from parley import tracing
from parley.audio import BYTES_PER_SAMPLE, SAMPLE_RATES, Resampler, bytes_for, duration_ms
from parley.instances import Instances
from parley.job import Job
from parley.messages import (
    JobRequest,
    Retry,
    SegmentSpoken,
    Speak,
    SpeakEnd,
    SpeechMarks,
    SpeechSpec,
)
from parley.patience import within
from parley.providers import ChunkResult, InputLost, ProviderError, SynthesisResult, Synthesizer
from parley.subjects import Stage
from parley.worker import JobRun

FRAME_MS = 100
"""No frame of speech is longer than this."""


class SpeechHandler:
    """Opens tts jobs. Jobs with the same provider, settings and language share a synthesizer."""

    def __init__(self) -> None:
        self._synthesizers = Instances(
            Stage.TTS, Synthesizer, lambda kind, settings, spec: kind(settings, spec.language)
        )

    def open(self, request: JobRequest) -> JobRun:
        """What speaks this turn. Raises ProviderError, or ValueError for a bad spec."""
        spec = SpeechSpec.model_validate(request.spec)
        if spec.sample_rate not in SAMPLE_RATES:
            raise ProviderError(f"cannot speak at {spec.sample_rate} Hz", Retry.NEVER)
        return partial(speak_turn, self._synthesizers.get(spec), spec.sample_rate)


async def speak_turn(synthesizer: Synthesizer, sample_rate: int, job: Job) -> None:
    """Speak what comes, until its end has come and all of it is spoken. Raises ProviderError."""
    async for segment in _segments(job):
        await _send_segment(job, segment, synthesizer, sample_rate)


async def _segments(job: Job) -> AsyncIterator[Speak]:
    """The turn's segments. A lost one fails the job: the speech would have a hole."""
    expected: int | None = None
    while not isinstance(item := await job.receive(), SpeakEnd):
        if not isinstance(item, Speak):
            continue
        if expected is not None and item.segment != expected:
            raise InputLost(f"segment {expected} of the turn's text never arrived")
        expected = item.segment + 1
        yield item


async def _send_segment(job: Job, speak: Speak, synthesizer: Synthesizer, rate: int) -> None:
    segment, frame_bytes = speak.segment, bytes_for(FRAME_MS, rate)
    resampler: Resampler | None = None
    sent, sent_marks = 0, 0
    span, asked_at = tracing.current(), time.monotonic()
    span.add("parley.characters", len(speak.text))

    async def send(result: SynthesisResult, pcm: bytes) -> None:
        nonlocal sent, sent_marks
        if sent_marks < len(result.marks):
            await job.send(SpeechMarks, segment=segment, marks=result.marks[sent_marks:])
            sent_marks = len(result.marks)
        if pcm:
            span.lap("parley.first_audio_ms", asked_at)
        for start in range(0, len(pcm), frame_bytes):
            frame = pcm[start : start + frame_bytes]
            await job.send_audio(segment, sent // BYTES_PER_SAMPLE, frame)
            sent += len(frame)

    who = f"the synthesizer {type(synthesizer).__name__}"
    speech = _speech(synthesizer, speak.text, who)
    async with aclosing(within(synthesizer.patience, speech, who)) as chunks:
        async for result, chunk in chunks:
            resampler = resampler or Resampler(result.sample_rate, rate)
            await send(result, resampler.push(chunk.chunk, last=chunk.is_last_chunk))
    await job.send(SegmentSpoken, segment=segment, duration_ms=duration_ms(sent, rate))


async def _speech(
    synthesizer: Synthesizer, text: str, who: str
) -> AsyncGenerator[tuple[SynthesisResult, ChunkResult], None]:
    """The speech of a text, up to its last chunk. Speech that just stops is a failure."""
    result = await synthesizer.create_speech(text)
    async with aclosing(result.chunk_generator) as chunks:
        async for chunk in chunks:
            yield result, chunk
            if chunk.is_last_chunk:
                return
    raise ProviderError(f"{who} broke off in the middle of a sentence", Retry.NOW)
