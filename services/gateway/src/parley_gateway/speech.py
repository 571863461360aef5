"""One turn's speech: releases text to the voice, and plays what comes back, paced."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from parley import metrics as shared_metrics
from parley.frames import AudioFrame
from parley.messages import SegmentSpoken, Speak, SpeakEnd, SpeechMarks, SpeechSpec
from parley_gateway import metrics
from parley_gateway.client import Client
from parley_gateway.jobs import Job, JobChannel, JobLost
from parley_gateway.pacer import Pacer
from parley_gateway.playout import Playout
from parley_gateway.spoken import SpokenTurn
from parley_gateway.timeline import Timeline

AHEAD_MS = 6_000.0
"""The voice works at most so far ahead of the ear, and one segment: what an interrupt wastes."""

CLIENT_LAG_SECONDS = 3.0
"""How long a turn waits for a client that says it is behind. One that is stuck never catches up."""


@dataclass(eq=False)
class Speech:
    """Speaks one turn. `on_heard` is called as its first audio goes out."""

    turn: int
    channel: JobChannel
    spec: SpeechSpec
    client: Client
    pacer: Pacer
    timeline: Timeline
    on_heard: Callable[[], None]
    spoken: SpokenTurn = field(default_factory=SpokenTurn)

    def __post_init__(self) -> None:
        self._playout = Playout(self.spec.sample_rate)
        self._clock = asyncio.get_running_loop().time
        self._ended = asyncio.Event()
        self._progressed = asyncio.Event()
        self._reported: tuple[float, float] | None = None
        self._begun = False
        self._played_out_at: float | None = None
        self._lost: JobLost | None = None

    async def speak(self, segments: AsyncGenerator[str, None]) -> None:
        """Speak the segments as they come; returns when the last was heard. Raises JobLost.

        When the reply or the voice is lost, what there is of it is still heard before JobLost
        is raised.
        """
        self.pacer.add(self)
        try:
            try:
                async with aclosing(segments), asyncio.TaskGroup() as tasks:
                    claim = tasks.create_task(self.channel.claim(self.turn, self.spec))
                    tasks.create_task(self._release(segments, claim))
                    tasks.create_task(self._receive(claim))
            except* JobLost as group:
                self._lost = _first(group)
            self._playout.finish()
            await self._ended.wait()
        finally:
            self.pacer.discard(self)
        if self._lost is not None:
            raise self._lost

    def stop(self) -> str:
        """Stop now; the text that was heard."""
        self.pacer.discard(self)
        heard = self.heard_text()
        self.client.clear()
        return heard

    def heard_text(self) -> str:
        """The text that was heard until now."""
        return self.spoken.text_up_to(self.heard_ms(self._clock()))

    def heard_ms(self, now: float) -> float:
        """How much was heard (ms): by our own clock, or by the client's report if that is less."""
        heard = self._playout.heard_ms(now) - self.client.undelivered_ms
        if self._reported is not None:
            reported_ms, at = self._reported
            heard = min(heard, reported_ms + (now - at) * 1000)
        return max(heard, 0.0)

    def report(self, ms: float) -> None:
        """The client says how much (ms) of this turn it has played."""
        self._reported = (ms, self._clock())

    # --- Text to the voice

    async def _release(self, segments: AsyncGenerator[str, None], claim: asyncio.Task[Job]) -> None:
        try:
            async for text in segments:
                job = await claim
                while self._backlog_ms() > AHEAD_MS:
                    self._progressed.clear()
                    await self._progressed.wait()
                await job.send(Speak, segment=self.spoken.add(text), text=text)
        except JobLost as lost:
            self._lost = lost
        await (await claim).send(SpeakEnd)

    def _backlog_ms(self) -> float:
        return self._playout.ahead_ms(self._clock()) + self.spoken.outstanding_ms

    # --- Audio from the voice

    async def _receive(self, claim: asyncio.Task[Job]) -> None:
        async for item in (await claim).output():
            if isinstance(item, AudioFrame | SpeechMarks | SegmentSpoken) and not self.spoken.knows(
                item.segment
            ):
                shared_metrics.MESSAGES_DROPPED.labels("unexpected").inc()
                continue
            match item:
                case AudioFrame():
                    self.timeline.mark("first_audio", self._clock())
                    self._playout.push(item.pcm)
                    self.spoken.add_audio(item.segment, self.client.format.duration_ms(item.pcm))
                case SpeechMarks():
                    self.spoken.add_marks(item.segment, item.marks)
                case SegmentSpoken():
                    self.spoken.complete(item.segment)

    # --- Audio to the caller

    def tick(self, now: float) -> None:
        """Deliver what is due. Called by the pacer."""
        delivery = self._playout.due(now)
        for frame in delivery.frames:
            if not self._begun:
                self._begun = True
                self.timeline.mark("first_delivered", now)
                self.on_heard()
            self.client.send_audio(frame)
        if delivery.starved:
            where = "segment" if self.spoken.mid_segment else "between"
            metrics.UNDERRUNS.labels(where).inc()
        self._progressed.set()
        if self._playout.ended_by(self._playout.heard_ms(now)):
            self._played_out_at = self._played_out_at or now
            patience_over = now - self._played_out_at > CLIENT_LAG_SECONDS
            if patience_over or self._playout.ended_by(self.heard_ms(now)):
                self._ended.set()


def _first(group: BaseExceptionGroup[JobLost]) -> JobLost:
    error = group.exceptions[0]
    return error if isinstance(error, JobLost) else _first(error)
