"""One turn's speech: releases text to the voice, and plays what comes back, paced."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from parley import metrics as shared_metrics
from parley.frames import AudioFrame
from parley.messages import SegmentSpoken, Speak, SpeakEnd, SpeechMarks, SpeechSpec
from parley.profiles import Profile, ProviderChoice
from parley.subjects import Stage
from parley_gateway import metrics
from parley_gateway.claims import claim
from parley_gateway.client import Client
from parley_gateway.failover import Failover
from parley_gateway.jobs import Item, Job, JobChannel, JobLost
from parley_gateway.pacer import Pacer
from parley_gateway.playout import FRAME_MS, Playout
from parley_gateway.prepared import Prepared
from parley_gateway.spoken import SpokenTurn
from parley_gateway.timeline import Timeline
from parley_gateway.turntaking import BotContext

AHEAD_MS = 6_000.0
"""The voice works at most so far ahead of the ear, and one segment: what an interrupt wastes."""

QUESTION_MS = 1_000.0
"""What the caller says so soon after, or before the end of, a question of the bot's answers it."""
CONTEXT_CHARACTERS = 200
"""How much of its text the bot may hear again as echo."""

CLIENT_LAG_SECONDS = 3.0
"""How long a turn waits for a client that says it is behind. One that is stuck never catches up."""


@dataclass(eq=False)
class Speech:
    """Speaks one turn. `on_heard` is called as its first audio goes out; `on_progress`, as each
    segment's audio is there; `on_lost`, when a voice is lost and another goes on.

    While it is `held`, audio is made but none is delivered.
    """

    turn: int
    channel: JobChannel
    profile: Profile
    client: Client
    pacer: Pacer
    timeline: Timeline
    on_heard: Callable[[], None]
    on_progress: Callable[[], None]
    on_lost: Callable[[JobLost], None]
    spoken: SpokenTurn = field(default_factory=SpokenTurn)
    held: bool = False

    def __post_init__(self) -> None:
        self._playout = Playout(self.client.format.sample_rate)
        self._clock = asyncio.get_running_loop().time
        self._ended = asyncio.Event()
        self._progressed = asyncio.Event()
        self._news = asyncio.Event()
        self._all_there = False
        self._reported: tuple[float, float] | None = None
        self._begun = False
        self._played_out_at: float | None = None
        self._lost: JobLost | None = None
        self._heard_when_held_ms = 0.0
        self._dry: tuple[float, str] | None = None

    async def speak(
        self, segments: AsyncGenerator[str, None], apology: Callable[[], Prepared | None]
    ) -> None:
        """Speak the segments as they come; returns when the last was heard. Raises JobLost.

        When the reply or the voice is lost for good, what there is of it is still heard, and
        then the apology, before JobLost is raised.
        """
        if not self.held:
            self.pacer.add(self)
        try:
            try:
                async with aclosing(segments), asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._feed(segments))
                    tasks.create_task(self._voice())
            except* JobLost as group:
                self._lost = _first(group)
                self.spoken.drop_incomplete()
            if self._lost is not None and (prepared := apology()) is not None:
                self._say(prepared)
            self._playout.finish()
            await self._ended.wait()
        finally:
            self.pacer.discard(self)
        if self._lost is not None:
            raise self._lost

    def _say(self, prepared: Prepared) -> None:
        segment = self.spoken.add(prepared.text)
        self.spoken.add_audio(segment, self.client.format.duration_ms(prepared.pcm))
        self.spoken.complete(segment)
        self._playout.push(prepared.pcm)

    def stop(self) -> str:
        """Stop now; the text that was heard."""
        self.pacer.discard(self)
        heard = self.heard_text()
        self.client.clear()
        return heard

    def hold(self) -> None:
        """Be silent now, until `release`."""
        self._heard_when_held_ms = self.heard_ms(self._clock())
        self.held = True
        self._dry = None
        self.pacer.discard(self)
        if self._begun:
            self._playout.rewind(self.spoken.word_begin_ms(self._heard_when_held_ms))
            self.client.clear()

    def release(self) -> float:
        """Speak on; the place (ms) in the turn's audio from which on it is delivered.

        That is the beginning of the word in which `hold` stopped it.
        """
        self.held = False
        self._reported = None
        self.pacer.add(self)
        return self._playout.delivered_ms

    @property
    def is_begun(self) -> bool:
        """Whether any of it was delivered."""
        return self._begun

    @property
    def is_quiet(self) -> bool:
        """Whether all that it was given has been heard."""
        return not self.held and self._backlog_ms() < FRAME_MS

    @property
    def context(self) -> BotContext:
        """What the bot is saying now, for who has to understand words that are said over it."""
        heard_ms = self.heard_ms(self._clock())
        recent = [self.spoken.text_up_to(ms) for ms in (heard_ms - QUESTION_MS, heard_ms)]
        text = self.spoken.text_up_to(heard_ms + QUESTION_MS)
        if text == self.spoken.text:
            recent.append(text)
        asks = any(one.rstrip().endswith("?") for one in recent)
        return BotContext(text[-CONTEXT_CHARACTERS:], asks)

    def heard_text(self) -> str:
        """The text that was heard until now."""
        return self.spoken.text_up_to(self.heard_ms(self._clock()))

    def heard_ms(self, now: float) -> float:
        """How much was heard (ms): by our own clock, or by the client's report if that is less."""
        if self.held:
            return self._heard_when_held_ms
        heard = self._playout.heard_ms(now) - self.client.undelivered_ms
        if self._reported is not None:
            reported_ms, at = self._reported
            heard = min(heard, reported_ms + (now - at) * 1000)
        return max(heard, 0.0)

    def report(self, ms: float) -> None:
        """The client says how much (ms) of this turn it has played."""
        self._reported = (ms, self._clock())

    # --- Text to the voice

    async def _feed(self, segments: AsyncGenerator[str, None]) -> None:
        try:
            async for text in segments:
                while self._backlog_ms() > AHEAD_MS:
                    self._progressed.clear()
                    await self._progressed.wait()
                self.spoken.add(text)
                self._news.set()
        except JobLost as lost:
            self._lost = lost
        self._all_there = True
        self._news.set()

    def _backlog_ms(self) -> float:
        return self._playout.ahead_ms(self._clock()) + self.spoken.outstanding_ms

    async def _voice(self) -> None:
        """Have all segments spoken, by one voice after another if need be."""
        failover = Failover(self.profile.candidates(Stage.TTS))
        while (lost := await self._try_voice(failover.choice)) is not None:
            self.spoken.cut(self._playout.delivered_ms)
            self._playout.drop_after(self.spoken.audio_ms)
            if self._all_there and self.spoken.first_incomplete == len(self.spoken):
                return
            if not failover.lost(lost):
                raise lost
            self.on_lost(lost)

    async def _try_voice(self, choice: ProviderChoice) -> JobLost | None:
        lost = None
        spec = SpeechSpec(
            provider=choice.provider,
            settings=choice.settings,
            language=self.profile.language,
            sample_rate=self.client.format.sample_rate,
        )
        try:
            span = self.timeline.attempt(Stage.TTS, choice.provider)
            job = await claim(self.channel, self.turn, spec, span=span)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._send(job))
                tasks.create_task(self._receive(job))
        except* JobLost as group:
            lost = _first(group)
        return lost

    async def _send(self, job: Job) -> None:
        at = self.spoken.first_incomplete
        while True:
            while at < len(self.spoken):
                await job.send(Speak, segment=at, text=self.spoken.text_of(at))
                at += 1
            if self._all_there:
                break
            self._news.clear()
            await self._news.wait()
        await job.send(SpeakEnd)

    # --- Audio from the voice

    async def _receive(self, job: Job) -> None:
        async with aclosing(job.output()) as output:
            async for item in output:
                self._take(item)

    def _take(self, item: Item) -> None:
        if isinstance(item, AudioFrame | SpeechMarks | SegmentSpoken) and not self.spoken.knows(
            item.segment
        ):
            shared_metrics.MESSAGES_DROPPED.labels("unexpected").inc()
            return
        match item:
            case AudioFrame():
                self.timeline.mark("first_audio", self._clock())
                self._playout.push(item.pcm)
                self.spoken.add_audio(item.segment, self.client.format.duration_ms(item.pcm))
                if not self._begun:
                    self.pacer.hurry(self)
            case SpeechMarks():
                self.spoken.add_marks(item.segment, item.marks)
            case SegmentSpoken():
                self.spoken.complete(item.segment)
                self.on_progress()

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
        if delivery.frames and self._dry is not None:
            since, where = self._dry
            metrics.PLAYOUT_GAP.labels(where).observe(now - since)
            self._dry = None
        if delivery.starved:
            where = "segment" if self.spoken.mid_segment else "between"
            metrics.UNDERRUNS.labels(where).inc()
            self._dry = (now, where)
        self._progressed.set()
        if self._playout.ended_by(self._playout.heard_ms(now)):
            self._played_out_at = self._played_out_at or now
            patience_over = now - self._played_out_at > CLIENT_LAG_SECONDS
            if patience_over or self._playout.ended_by(self.heard_ms(now)):
                self._ended.set()


def _first(group: BaseExceptionGroup[JobLost]) -> JobLost:
    error = group.exceptions[0]
    return error if isinstance(error, JobLost) else _first(error)
