"""A tts job: one turn's text in, segment by segment; its speech out, in order."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial

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
from parley.providers import ProviderError, SynthesisResult, Synthesizer
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
    """Speak what comes, until its end has come and all of it is spoken."""
    async for segment in _segments(job):
        result = await synthesizer.create_speech(segment.text)
        await _send_segment(job, segment.segment, result, sample_rate)


async def _segments(job: Job) -> AsyncIterator[Speak]:
    """The turn's segments. A lost one fails the job: the speech would have a hole."""
    expected: int | None = None
    while not isinstance(item := await job.receive(), SpeakEnd):
        if not isinstance(item, Speak):
            continue
        if expected is not None and item.segment != expected:
            raise ProviderError(f"segment {expected} of the turn's text never arrived")
        expected = item.segment + 1
        yield item


async def _send_segment(job: Job, segment: int, result: SynthesisResult, sample_rate: int) -> None:
    resampler = Resampler(result.sample_rate, sample_rate)
    frame_bytes = bytes_for(FRAME_MS, sample_rate)
    sent, sent_marks = 0, 0

    async def send(pcm: bytes) -> None:
        nonlocal sent, sent_marks
        if sent_marks < len(result.marks):
            await job.send(SpeechMarks, segment=segment, marks=result.marks[sent_marks:])
            sent_marks = len(result.marks)
        for start in range(0, len(pcm), frame_bytes):
            frame = pcm[start : start + frame_bytes]
            await job.send_audio(segment, sent // BYTES_PER_SAMPLE, frame)
            sent += len(frame)

    async with aclosing(result.chunk_generator) as chunks:
        async for chunk in chunks:
            await send(resampler.push(chunk.chunk))
    await send(resampler.push(b"", last=True))
    await job.send(SegmentSpoken, segment=segment, duration_ms=duration_ms(sent, sample_rate))
