"""One live call: joins turn-taking, hearing, replies and speech, and keeps the history."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from parley import logs, subjects
from parley.bus import Bus
from parley.interrupts import Fence, InterruptibleEvent
from parley.messages import (
    End,
    EndOfTurn,
    Interrupt,
    JobMessage,
    KeepAlive,
    Message,
    Mute,
    SpeechEnded,
    SpeechProgress,
    SpeechStarted,
    Transcription,
)
from parley.profiles import Profile
from parley.subjects import Stage
from parley.transcript import Entry, Transcript
from parley_gateway import metrics, turns
from parley_gateway.answering import Answering, Rest, rest_of
from parley_gateway.chronicle import Chronicle, Record
from parley_gateway.client import Client
from parley_gateway.echo import EchoMute
from parley_gateway.hearing import Hearing
from parley_gateway.holding import Holding, Notice
from parley_gateway.jobs import JobChannel, JobLost, Pool
from parley_gateway.pacer import Pacer
from parley_gateway.prepared import Prepared, PreparedSpeech
from parley_gateway.protocol import event
from parley_gateway.reply import Reply, prepare_agent, segmented
from parley_gateway.resume import Resumed
from parley_gateway.speech import Speech
from parley_gateway.spoken import SpokenTurn
from parley_gateway.state import EntryState, TalkState
from parley_gateway.timeline import Timeline
from parley_gateway.turns import Answer, State, TurnTaking

log = logs.get(__name__)

KEEP_ALIVE_SECONDS = 4.0
"""How often workers are told that the call goes on: they give up after 15 s of nothing."""
ATTEMPTS_PER_GATEWAY = 1000
"""Each gateway that holds the call numbers its attempts from the next thousand on."""

OnState = Callable[[TalkState], None]


@dataclass(frozen=True)
class Engine:
    """What all conversations of a gateway share."""

    bus: Bus
    pacer: Pacer
    pool: Pool
    prepared: PreparedSpeech
    hold_seconds: float = 2.0
    log_transcripts: bool = False


class Conversation:
    """Owns a call from `open` to `close`; `run` is the call itself.

    `on_state` is given what has to outlive this gateway, each time that it changes; `record`,
    what happened, as a kind, a key that is unique in the call, and fields.
    """

    def __init__(
        self,
        conversation_id: str,
        profile: Profile,
        client: Client,
        engine: Engine,
        *,
        on_state: OnState,
        record: Record,
        resumed: Resumed | None = None,
    ) -> None:
        self.id = conversation_id
        self.transcript = Transcript(profile.prompt)
        self._profile = profile
        self._client = client
        self._engine = engine
        self._on_state = on_state
        self._resumed = resumed
        epoch = 0 if resumed is None else resumed.epoch
        self._chronicle = Chronicle(conversation_id, record, epoch)
        self._echo = EchoMute(enabled=profile.echo == "mute", mute=self._mute)
        first = epoch * ATTEMPTS_PER_GATEWAY % 65_000 + 1
        self._turns = TurnTaking(profile.interruption)
        self._fence = Fence()
        self._channels = {
            stage: JobChannel(engine.pool, stage, conversation_id, first_attempt=first)
            for stage in Stage
        }
        rate = client.format.sample_rate
        audio_from_ms = 0.0 if resumed is None else resumed.audio_from_ms
        self._hearing = Hearing(self._channels[Stage.STT], profile, rate, audio_from_ms)
        if resumed is not None and resumed.state.said:
            self._hearing.turn_under_way()
        self._speaking: InterruptibleEvent[Speech] | None = None
        self._answer_under_way: Answering | None = None
        self._answering: asyncio.Task[None] | None = None
        self._timeline = Timeline(0)
        self._onset: float | None = None
        self._tasks = asyncio.TaskGroup()
        self._over = asyncio.Event()
        self._abandoned = False
        self._clock = asyncio.get_running_loop().time

    # --- The call's life

    async def open(self) -> None:
        """Find a transcriber. Raises NoCapacity or JobLost; `close` is due in any case."""
        for channel in self._channels.values():
            await channel.open()
        await self._hearing.open()

    async def run(self) -> None:
        """Hold the conversation until `end`. Raises JobLost (in a group) when hearing is lost."""
        holding = Holding(self._client, self._engine, self._profile, lambda: self._turns.quiet)
        async with self._tasks as tasks:
            background = [
                tasks.create_task(self._hear()),
                tasks.create_task(self._keep_alive()),
                tasks.create_task(self._prepare()),
                tasks.create_task(holding.run()),
            ]
            self._start()
            await self._over.wait()
            self._stop_answering()
            for task in background:
                task.cancel()

    def end(self) -> None:
        """The call is over."""
        self._over.set()

    def abandon(self) -> None:
        """Another gateway has the call: let go of it, and of the workers, who are its now."""
        self._abandoned = True
        self._over.set()

    async def close(self) -> None:
        """Tell the workers, and let go of everything."""
        if self._speaking is not None and not self._abandoned:
            self._chronicle.left_at(self._speaking.turn, self._speaking.payload.heard_text())
        self._stop_answering()
        self._echo.close()
        if not self._abandoned:
            await self._broadcast(End(reason="the call is over"))
        for channel in self._channels.values():
            await channel.close()

    @property
    def quiet(self) -> bool:
        """Whether nobody speaks, and nothing is being answered."""
        return self._turns.quiet and self._answering is None

    def state(self) -> TalkState:
        """What has to outlive this gateway."""
        answer = self._answer_under_way
        return TalkState(
            turn=self._turns.turn,
            entries=[
                EntryState(speaker=one.speaker, turn=one.turn, text=one.text, cut_off=one.cut_off)
                for one in self.transcript.entries
            ],
            said=self._turns.said,
            reply=None if answer is None else answer.state(),
            understood_ms=self._hearing.understood_ms,
        )

    def _changed(self) -> None:
        self._on_state(self.state())

    async def _hear(self) -> None:
        try:
            await self._hearing.run(self._on_heard, self._chronicle.failover)
        except JobLost:
            # Nobody hears the caller any more. They are told so before the call ends.
            self._stop_answering()
            if (apology := self._apology()) is not None:
                await Notice(self._client, apology).play(self._engine.pacer)
            raise

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(KEEP_ALIVE_SECONDS)
            if self._engine.bus.connected:
                await self._broadcast(KeepAlive(fence=self._fence.turn))

    async def _prepare(self) -> None:
        rate = self._client.format.sample_rate
        for text in (self._profile.apology, self._profile.hold_message):
            self._engine.prepared.want(self._profile, text, rate)
        if self._resumed is None:
            await prepare_agent(self._channels[Stage.AGENT], self._profile, self.transcript)

    # --- How it begins

    def _start(self) -> None:
        if self._resumed is not None:
            self._go_on(self._resumed)
        elif self._profile.greeting:
            self._turns.greeting_begins()
            self._timeline = Timeline(turns.GREETING_TURN)
            self._on_reply_text(turns.GREETING_TURN, self._profile.greeting)
            self._begin(turns.GREETING_TURN, Rest(text=self._profile.greeting, written=True))
        self._changed()

    def _go_on(self, resumed: Resumed) -> None:
        """Where another gateway had to stop; the bot, from what had been heard."""
        state = resumed.state
        self.transcript.entries = [
            Entry(one.speaker, one.turn, one.text, one.cut_off) for one in state.entries
        ]
        for entry in self.transcript.entries:
            self._chronicle.said(entry)
        self._turns.restore(state.turn, state.said, replying=state.reply is not None)
        if state.reply is None:
            self._fence.move(state.turn)
            return
        turn, heard_ms = resumed.heard or (-1, 0.0)
        rest = rest_of(state.reply, heard_ms if turn == state.reply.turn else 0.0)
        self._timeline = Timeline(state.reply.turn)
        self._say_restart(state.reply.turn, f"{rest.prior} {rest.text}".strip())
        self._begin(state.reply.turn, rest)

    # --- From the caller

    async def audio(self, pcm: bytes) -> None:
        """The caller's PCM16, at the client's sample rate."""
        await self._hearing.push(pcm)

    def user_text(self, text: str) -> None:
        """The caller has typed a turn."""
        self._timeline = Timeline(self._turns.turn + 1)
        self._timeline.mark("end_of_turn", self._clock())
        self._act(self._turns.user_text(text))

    def interrupt(self) -> None:
        """The caller's side asks for silence."""
        self._act(self._turns.interrupt())

    def playback(self, turn: int, ms: float) -> None:
        """The client has played so much (ms) of a turn."""
        if self._speaking is not None and self._speaking.turn == turn:
            self._speaking.payload.report(ms)

    def _on_heard(self, message: JobMessage) -> None:
        match message:
            case SpeechStarted():
                self._onset = self._hearing.arrivals.time_of(message.position_ms)
                self._client.send_event(event("speech_started"))
                self._turns.speech_started()
            case SpeechProgress():
                self._act(self._turns.speech_progress(message.speech_ms))
            case SpeechEnded():
                self._timeline = Timeline(self._turns.turn + 1)
                ended = self._hearing.arrivals.time_of(message.position_ms)
                self._timeline.mark("speech_end", self._clock() if ended is None else ended)
            case Transcription():
                self._on_transcription(message)
            case EndOfTurn():
                self._timeline.mark("end_of_turn", self._clock())
                self._act(self._turns.end_of_turn())

    def _on_transcription(self, message: Transcription) -> None:
        if message.is_final:
            self._timeline.mark("final_transcription", self._clock())
        self._act(self._turns.transcription(message.message, message.is_final))
        if message.message:
            if self._engine.log_transcripts:
                log.info("heard", conversation=self.id, text=message.message)
            self._client.send_event(
                event(
                    "transcription",
                    message=message.message,
                    is_final=message.is_final,
                    confidence=round(message.confidence, 3),
                    is_interrupt=self._turns.state is State.INTERRUPTED,
                    turn=self._turns.turn + 1,
                )
            )
        if message.is_final:
            self._changed()

    # --- Turns

    def _act(self, actions: list[turns.Action]) -> None:
        for action in actions:
            if isinstance(action, Answer):
                self._answer(action)
            else:
                self._interrupt(action.turn)

    def _answer(self, answer: Answer) -> None:
        if answer.text:
            self.transcript.add_human_message(answer.turn, answer.text)
            self._chronicle.said(self.transcript.entries[-1])
        self._timeline.turn = answer.turn
        self._begin(answer.turn, Rest(), is_interrupt=answer.is_interrupt)
        self._changed()

    def _begin(self, turn: int, rest: Rest, *, is_interrupt: bool = False) -> None:
        """Speak what is left of a turn, which may be all of it."""
        self._fence.move(turn - 1)
        speech = Speech(
            turn=turn,
            channel=self._channels[Stage.TTS],
            profile=self._profile,
            client=self._client,
            pacer=self._engine.pacer,
            timeline=self._timeline,
            on_heard=partial(self._on_reply_heard, turn),
            on_progress=self._changed,
            on_lost=self._chronicle.failover,
            spoken=SpokenTurn(rest.prior),
        )
        reply = None
        if not rest.written:
            reply = Reply(
                channel=self._channels[Stage.AGENT],
                profile=self._profile,
                turn=turn,
                transcript=self.transcript,
                timeline=self._timeline,
                on_text=partial(self._on_reply_text, turn),
                on_restart=partial(self._on_reply_restart, turn),
                is_interrupt=is_interrupt,
                before=f"{rest.prior} {rest.text}".strip(),
            )
        self._speaking = InterruptibleEvent(speech, turn)
        answering = Answering(turn, speech, reply, segmented(rest.text))
        self._answer_under_way = answering
        self._answering = self._tasks.create_task(self._speak(answering))

    async def _speak(self, answering: Answering) -> None:
        failed, speech = False, answering.speech
        try:
            segments = answering.segments(whole=self._profile.delivery == "full")
            await speech.speak(segments, self._apology)
        except JobLost as lost:
            failed = True
            self._tasks.create_task(self.broadcast_interrupt(speech.turn))
            self._chronicle.failed(speech.turn, lost)
            code = "reply_failed" if lost.stage is Stage.AGENT else "speech_failed"
            self._client.send_event(event("error", code=code, message=str(lost), fatal=False))
        text = speech.spoken.text
        self._finish(speech, text, "failed" if failed else "spoken" if text else "silent")
        self._act(self._turns.reply_ended(speech.turn))

    def _apology(self) -> Prepared | None:
        profile, rate = self._profile, self._client.format.sample_rate
        return self._engine.prepared.get(profile, profile.apology, rate)

    def _on_reply_text(self, turn: int, text: str) -> None:
        self._client.send_event(event("reply", text=text, turn=turn))

    def _on_reply_restart(self, turn: int, text: str, lost: JobLost) -> None:
        self._say_restart(turn, text)
        self._chronicle.failover(lost)

    def _say_restart(self, turn: int, text: str) -> None:
        kept = f"{text} " if text else ""
        self._client.send_event(event("reply", text=kept, turn=turn, restart=True))

    def _on_reply_heard(self, turn: int) -> None:
        self._turns.reply_heard(turn)
        self._client.send_event(event("speaking", turn=turn))
        self._echo.bot_heard()

    def _finish(self, speech: Speech, heard: str, outcome: str) -> None:
        """The turn is over, and `heard` goes into the history."""
        self._speaking = None
        self._answering = None
        self._answer_under_way = None
        cut_off = outcome in ("interrupted", "failed")
        self.transcript.add_bot_message(speech.turn, heard, cut_off=cut_off)
        if heard:
            self._chronicle.said(self.transcript.entries[-1])
        if self._engine.log_transcripts:
            log.info("said", conversation=self.id, turn=speech.turn, text=heard)
        speech.timeline.mark("heard", self._clock())
        speech.timeline.finish(self.id, outcome)
        self._client.send_event(event("spoken", turn=speech.turn, text=heard, cut_off=cut_off))
        self._echo.bot_silent()
        self._changed()

    def _mute(self, muted: bool) -> None:
        if self._over.is_set():
            return
        self._hearing.mute(muted)
        self._tasks.create_task(self._broadcast(Mute(muted=muted)))

    # --- Interrupts

    def _interrupt(self, turn: int) -> None:
        """Silence first, in this tick; then the books; then the workers are told."""
        self._fence.move(turn)
        if self._speaking is None or self._fence.passes(self._speaking):
            return
        speech = self._speaking.payload
        heard = speech.stop()
        now = self._clock()
        self._stop_answering()
        if self._onset is not None and self._turns.state is State.INTERRUPTED:
            metrics.INTERRUPT.observe(max(now - self._onset, 0))
        self._client.send_event(event("interrupted", turn=turn))
        self._finish(speech, heard, "interrupted")
        self._tasks.create_task(self.broadcast_interrupt(turn))

    async def broadcast_interrupt(self, turn: int) -> None:
        """Whoever holds work of that turn or an older one cancels it."""
        await self._broadcast(Interrupt(turn=turn))

    def _stop_answering(self) -> None:
        if self._answering is not None:
            self._answering.cancel()
            self._answering = None

    # --- Helpers

    async def _broadcast(self, message: Message) -> None:
        await self._engine.bus.publish(subjects.control(self.id), message)
