"""The bot's side of one call: one answer at a time, and perhaps one that is being prepared."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from parley import logs
from parley.profiles import Profile
from parley.subjects import Stage
from parley.transcript import Transcript
from parley_gateway import metrics
from parley_gateway.answering import Answering, Rest
from parley_gateway.chronicle import Chronicle
from parley_gateway.client import Client
from parley_gateway.echo import Echo
from parley_gateway.jobs import JobChannel, JobLost
from parley_gateway.pacer import Pacer
from parley_gateway.prepared import Prepared, PreparedSpeech
from parley_gateway.promises import keep
from parley_gateway.protocol import event
from parley_gateway.reply import Reply, segmented
from parley_gateway.reply_text import ReplyText
from parley_gateway.speech import Speech
from parley_gateway.spoken import SpokenTurn
from parley_gateway.state import ReplyState
from parley_gateway.timeline import Timeline
from parley_gateway.tool_calls import ToolCalls
from parley_gateway.tool_events import ToolEvents
from parley_gateway.turn_trace import CallTraces, Interruption
from parley_gateway.turntaking import BotContext

log = logs.get(__name__)


@dataclass(frozen=True)
class BotEvents:
    """What the conversation wants to know of its bot."""

    heard: Callable[[int], None]
    """The first audio of a turn goes out."""
    ended: Callable[[int], None]
    """A turn was heard to its end, or failed."""
    lost: Callable[[int], None]
    """A turn failed: whoever still works on it shall stop."""
    hang_up: Callable[[], None]
    """The bot has ended the call."""
    changed: Callable[[], None]
    """What has to outlive this gateway has changed."""


@dataclass(frozen=True)
class Means:
    """What all answers of a call are made with."""

    profile: Profile
    client: Client
    channels: Mapping[Stage, JobChannel]
    pacer: Pacer
    prepared: PreparedSpeech
    transcript: Transcript
    chronicle: Chronicle
    echo: Echo
    traces: CallTraces


@dataclass(eq=False)
class _Early:
    """An answer whose turn is only probably over: it is made, and nobody hears of it."""

    answering: Answering
    texts: ReplyText
    task: asyncio.Task[JobLost | None]
    since: float


class Bot:
    """Speaks for one call. Its tasks live in `tasks`, which ends with the call."""

    def __init__(self, means: Means, events: BotEvents, tasks: asyncio.TaskGroup) -> None:
        self._means = means
        self._events = events
        self._tasks = tasks
        self._answering: Answering | None = None
        self._speaking: asyncio.Task[Any] | None = None
        self._early: _Early | None = None
        self._held_at = 0.0
        self._clock = asyncio.get_running_loop().time

    # --- What it is doing

    @property
    def is_busy(self) -> bool:
        """Whether something is being answered."""
        return self._answering is not None

    @property
    def context(self) -> BotContext:
        """What it is saying now."""
        return BotContext() if self._answering is None else self._answering.speech.context

    @property
    def left_at(self) -> tuple[int, str] | None:
        """The turn under way, and what was heard of it."""
        answering = self._answering
        return None if answering is None else (answering.turn, answering.speech.heard_text())

    def state(self) -> ReplyState | None:
        """What another gateway needs to go on with the answer under way."""
        return None if self._answering is None else self._answering.state()

    def played(self, turn: int, ms: float) -> None:
        """The client has played so much of a turn."""
        if self._answering is not None and self._answering.turn == turn:
            self._answering.speech.report(ms)

    # --- An answer's life

    def say(self, turn: int, text: str, timeline: Timeline) -> None:
        """Speak words that are there already."""
        texts = ReplyText(self._means.client, turn)
        texts.add(text)
        self._take(self._make(turn, Rest(text=text, written=True), timeline, texts))

    def answer(self, turn: int, timeline: Timeline, *, is_interrupt: bool) -> None:
        """Reply to the history as it stands."""
        texts = ReplyText(self._means.client, turn)
        self._take(self._make(turn, Rest(), timeline, texts, is_interrupt=is_interrupt))

    def go_on(self, turn: int, rest: Rest, timeline: Timeline) -> None:
        """Speak what is left of an answer that another gateway had begun."""
        texts = ReplyText(self._means.client, turn)
        texts.restart(f"{rest.prior} {rest.text}".strip())
        self._take(self._make(turn, rest, timeline, texts))

    def prepare(self, turn: int, said: str, timeline: Timeline, *, is_interrupt: bool) -> None:
        """Have the answer to `said` made early, in silence."""
        texts = ReplyText(self._means.client, turn, held=True)
        transcript = self._means.transcript.copy()
        transcript.add_human_message(turn, said)
        answering = self._make(
            turn, Rest(), timeline.copy(), texts,
            is_interrupt=is_interrupt, transcript=transcript, held=True,
        )  # fmt: skip
        task = self._tasks.create_task(self._run(answering))
        self._early = _Early(answering, texts, task, self._clock())

    def drop(self) -> None:
        """The answer that was prepared is not wanted."""
        early, self._early = self._early, None
        if early is not None:
            early.answering.speech.timeline.trace.set({"parley.early_reply": "dropped"})
            metrics.EARLY_REPLIES.labels("dropped").inc()
            early.task.cancel()

    def use_prepared(self, timeline: Timeline) -> bool:
        """Let the prepared answer be heard. False where there is none: it may have failed."""
        early, self._early = self._early, None
        if early is None or (early.task.done() and early.task.result() is not None):
            return False
        metrics.EARLY_REPLIES.labels("used").inc()
        speech = early.answering.speech
        ready_at = speech.timeline.reached.get("first_audio", self._clock())
        metrics.EARLY_REPLY_GAIN.observe(max(ready_at - early.since, 0.0))
        speech.timeline.merge(timeline)
        speech.timeline.trace.set({"parley.early_reply": "used"})
        early.texts.release()
        if early.answering.reply is not None:
            early.answering.reply.release()
        speech.release()
        self._take(early.answering, early.task)
        return True

    def _make(
        self,
        turn: int,
        rest: Rest,
        timeline: Timeline,
        texts: ReplyText,
        *,
        is_interrupt: bool = False,
        transcript: Transcript | None = None,
        held: bool = False,
    ) -> Answering:
        means = self._means
        speech = Speech(
            turn=turn,
            channel=means.channels[Stage.TTS],
            profile=means.profile,
            client=means.client,
            pacer=means.pacer,
            timeline=timeline,
            on_heard=partial(self._on_heard, turn),
            on_progress=self._events.changed,
            on_lost=means.chronicle.failover,
            spoken=SpokenTurn(rest.prior),
            held=held,
        )
        reply = None
        calls = ToolCalls(list(rest.rounds))
        if not rest.written:
            reply = Reply(
                channel=means.channels[Stage.AGENT],
                profile=means.profile,
                turn=turn,
                transcript=transcript or means.transcript,
                timeline=timeline,
                on_text=texts.add,
                on_restart=partial(self._on_restart, texts),
                tool_events=ToolEvents(turn, means.client, means.chronicle, self._events.changed),
                is_quiet=lambda: speech.is_quiet,
                is_interrupt=is_interrupt,
                before=f"{rest.prior} {rest.text}".strip(),
                held=held,
                calls=calls,
            )
        return Answering(turn, speech, reply, segmented(rest.text), calls)

    def _take(self, answering: Answering, made: asyncio.Task[JobLost | None] | None = None) -> None:
        """This is the answer now."""
        made = made or self._tasks.create_task(self._run(answering))
        self._answering = answering
        self._speaking = self._tasks.create_task(self._see_through(answering, made))
        # A task that is cancelled before it has begun does not cancel what it would have awaited.
        self._speaking.add_done_callback(lambda _: made.cancel())

    async def _run(self, answering: Answering) -> JobLost | None:
        """Make an answer, and have it heard. The loss, where it could not be made."""
        segments = answering.segments(whole=self._means.profile.delivery == "full")
        try:
            await answering.speech.speak(segments, self.apology)
        except JobLost as lost:
            return lost
        return None

    async def _see_through(self, answering: Answering, made: asyncio.Task[JobLost | None]) -> None:
        lost = await made
        speech = answering.speech
        if lost is not None:
            self._events.lost(speech.turn)
            self._means.chronicle.failed(speech.turn, lost)
            code = "reply_failed" if lost.stage is Stage.AGENT else "speech_failed"
            self._means.client.send_event(event("error", code=code, message=str(lost), fatal=False))
        text = speech.spoken.text
        self._finish(speech, text, "failed" if lost else "spoken" if text else "silent")
        if not lost and await self._keeps_promises(answering):
            self._events.hang_up()
        else:
            self._events.ended(speech.turn)

    async def _keeps_promises(self, answering: Answering) -> bool:
        """Carry out what built-in tools have promised; whether the call ends with that."""
        self._speaking = asyncio.current_task()
        runs = answering.calls.promised()
        return await keep(runs, answering.turn, self._means, lambda: not self.is_busy)

    def apology(self) -> Prepared | None:
        """What is heard when an answer is lost for good."""
        means = self._means
        rate = means.client.format.sample_rate
        return means.prepared.get(means.profile, means.profile.apology, rate)

    def _on_heard(self, turn: int) -> None:
        self._events.heard(turn)
        self._means.client.send_event(event("speaking", turn=turn))
        self._means.echo.bot_heard()

    def _on_restart(self, texts: ReplyText, text: str, lost: JobLost) -> None:
        texts.restart(text)
        self._means.chronicle.failover(lost)

    # --- Silence

    def pause(self) -> None:
        """Be silent now, perhaps only for a moment."""
        if self._answering is None:
            return
        speech = self._answering.speech
        speech.hold()
        self._held_at = self._clock()
        if speech.is_begun:
            self._means.client.send_event(event("paused", turn=speech.turn))

    def resume(self) -> None:
        """Go on from the word where `pause` came."""
        if self._answering is None:
            return
        speech = self._answering.speech
        begun = speech.is_begun
        position_ms = speech.release()
        metrics.PAUSES.labels("resumed").inc()
        if begun:
            metrics.PAUSE.observe(self._clock() - self._held_at)
            resumed = event("resumed", turn=speech.turn, ms=round(position_ms))
            self._means.client.send_event(resumed)

    def stop(self, onset: float | None) -> float | None:
        """Be silent now, and for good; what was heard goes into the history.

        `onset`: when (s) the caller's voice set in, where that is why. Since when (s) it has been
        silent; None where it had nothing to say.
        """
        answering = self._answering
        if answering is None:
            return None
        silent_since = now = self._clock()
        if answering.speech.held:
            metrics.PAUSES.labels("interrupted").inc()
            silent_since = self._held_at
        if onset is not None:
            answering.speech.timeline.interruption = Interruption(onset, silent_since, now)
        heard = answering.speech.stop()
        self.cancel()
        self._means.client.send_event(event("interrupted", turn=answering.turn))
        self._finish(answering.speech, heard, "interrupted")
        return silent_since

    def cancel(self) -> None:
        """Do no more work."""
        if self._speaking is not None:
            self._speaking.cancel()
            self._speaking = None
        if self._early is not None:
            self.drop()

    def _finish(self, speech: Speech, heard: str, outcome: str) -> None:
        """The turn is over, and `heard` goes into the history."""
        means = self._means
        answering, self._answering = self._answering, None
        self._speaking = None
        cut_off = outcome in ("interrupted", "failed")
        rounds = answering.rounds(means.profile.tools, cut_off=cut_off) if answering else []
        means.transcript.add_bot_message(speech.turn, heard, cut_off=cut_off, rounds=rounds)
        if heard:
            means.chronicle.said(means.transcript.entries[-1])
        speech.timeline.mark("heard", self._clock())
        speech.timeline.finish(means.chronicle.conversation_id, outcome)
        means.chronicle.turn(speech.turn, outcome, speech.timeline.since_speech_end_ms())
        means.client.send_event(event("spoken", turn=speech.turn, text=heard, cut_off=cut_off))
        means.echo.bot_silent()
        self._events.changed()
