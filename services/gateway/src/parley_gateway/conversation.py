"""One live call: joins turn-taking, hearing, replies and speech, and keeps the history."""

import asyncio
from collections.abc import AsyncGenerator
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
    SpeechSpec,
    SpeechStarted,
    Transcription,
)
from parley.profiles import Profile
from parley.subjects import Stage
from parley.transcript import Transcript
from parley_gateway import metrics, turns
from parley_gateway.client import Client
from parley_gateway.hearing import Hearing
from parley_gateway.jobs import JobChannel, JobLost
from parley_gateway.pacer import Pacer
from parley_gateway.protocol import event
from parley_gateway.reply import (
    buffered,
    greeting_segments,
    prepare_agent,
    reply_segments,
    reply_spec,
)
from parley_gateway.speech import Speech
from parley_gateway.timeline import Timeline
from parley_gateway.turns import Answer, State, TurnTaking

log = logs.get(__name__)

KEEP_ALIVE_SECONDS = 4.0
"""How often workers are told that the call goes on: they give up after 15 s of nothing."""
ECHO_TAIL_SECONDS = 0.3
"""Echo `mute`: how long after its last sound the bot's echo may still arrive."""


@dataclass(frozen=True)
class Engine:
    """What all conversations of a gateway share."""

    bus: Bus
    pacer: Pacer
    log_transcripts: bool = False


class Conversation:
    """Owns a call from `open` to `close`; `run` is the call itself."""

    def __init__(
        self, conversation_id: str, profile: Profile, client: Client, engine: Engine
    ) -> None:
        self.id = conversation_id
        self.transcript = Transcript(profile.prompt)
        self._profile = profile
        self._client = client
        self._engine = engine
        self._turns = TurnTaking(profile.interruption)
        self._fence = Fence()
        channel = partial(JobChannel, engine.bus, conversation_id=conversation_id)
        self._channels = {stage: channel(stage) for stage in Stage}
        self._hearing = Hearing(self._channels[Stage.STT], profile, client.format.sample_rate)
        self._speaking: InterruptibleEvent[Speech] | None = None
        self._answering: asyncio.Task[None] | None = None
        self._unmuting: asyncio.TimerHandle | None = None
        self._timeline = Timeline(0)
        self._onset: float | None = None
        self._tasks = asyncio.TaskGroup()
        self._over = asyncio.Event()
        self._clock = asyncio.get_running_loop().time

    # --- The call's life

    async def open(self) -> None:
        """Find a transcriber. Raises NoCapacity or JobLost; `close` is due in any case."""
        for channel in self._channels.values():
            await channel.open()
        await self._hearing.open()

    async def run(self) -> None:
        """Hold the conversation until `end`. Raises JobLost (in a group) when hearing is lost."""
        async with self._tasks as tasks:
            background = [
                tasks.create_task(self._hearing.run(self._on_heard)),
                tasks.create_task(self._keep_alive()),
                tasks.create_task(self._prepare()),
            ]
            self._greet()
            await self._over.wait()
            self._stop_answering()
            await self._broadcast_end()
            for task in background:
                task.cancel()

    def end(self) -> None:
        """The call is over."""
        self._over.set()

    async def close(self) -> None:
        """Tell the workers, and let go of everything."""
        self._stop_answering()
        if self._unmuting is not None:
            self._unmuting.cancel()
        await self._broadcast_end()
        for channel in self._channels.values():
            await channel.close()

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(KEEP_ALIVE_SECONDS)
            if self._engine.bus.connected:
                await self._broadcast(KeepAlive(fence=self._fence.turn))

    async def _prepare(self) -> None:
        await prepare_agent(self._channels[Stage.AGENT], self._profile, self.transcript)

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

    # --- Turns

    def _greet(self) -> None:
        if self._profile.greeting:
            self._turns.greeting_begins()
            greeting = event("reply", text=self._profile.greeting, turn=turns.GREETING_TURN)
            self._client.send_event(greeting)
            segments = greeting_segments(self._profile.greeting)
            self._timeline = Timeline(turns.GREETING_TURN)
            self._begin(turns.GREETING_TURN, segments)

    def _act(self, actions: list[turns.Action]) -> None:
        for action in actions:
            if isinstance(action, Answer):
                self._answer(action)
            else:
                self._interrupt(action.turn)

    def _answer(self, answer: Answer) -> None:
        if answer.text:
            self.transcript.add_human_message(answer.turn, answer.text)
        self._timeline.turn = answer.turn
        spec = reply_spec(self._profile, self.transcript, is_interrupt=answer.is_interrupt)
        segments = reply_segments(
            self._channels[Stage.AGENT],
            answer.turn,
            spec,
            lambda text: self._client.send_event(event("reply", text=text, turn=answer.turn)),
            self._timeline,
        )
        if self._profile.delivery == "full":
            segments = buffered(segments)
        self._begin(answer.turn, segments)

    def _begin(self, turn: int, segments: AsyncGenerator[str, None]) -> None:
        self._fence.move(turn - 1)
        speech = Speech(
            turn=turn,
            channel=self._channels[Stage.TTS],
            spec=SpeechSpec(
                provider=self._profile.voice_provider,
                settings=self._profile.voice,
                language=self._profile.language,
                sample_rate=self._client.format.sample_rate,
            ),
            client=self._client,
            pacer=self._engine.pacer,
            timeline=self._timeline,
            on_heard=partial(self._on_reply_heard, turn),
        )
        self._speaking = InterruptibleEvent(speech, turn)
        self._answering = self._tasks.create_task(self._speak(speech, segments))

    async def _speak(self, speech: Speech, segments: AsyncGenerator[str, None]) -> None:
        failed = False
        try:
            await speech.speak(segments)
        except JobLost as lost:
            failed = True
            self._tasks.create_task(self.broadcast_interrupt(speech.turn))
            log.warning("reply lost", conversation=self.id, turn=speech.turn, reason=str(lost))
            code = "reply_failed" if lost.stage is Stage.AGENT else "speech_failed"
            self._client.send_event(event("error", code=code, message=str(lost), fatal=False))
        text = speech.heard_text() if failed else speech.spoken.text
        self._finish(speech, text, "failed" if failed else "spoken" if text else "silent")
        self._act(self._turns.reply_ended(speech.turn))

    def _on_reply_heard(self, turn: int) -> None:
        self._turns.reply_heard(turn)
        self._client.send_event(event("speaking", turn=turn))
        if self._profile.echo == "mute":
            if self._unmuting is not None:
                self._unmuting.cancel()
            self._tasks.create_task(self._broadcast(Mute(muted=True)))

    def _finish(self, speech: Speech, heard: str, outcome: str) -> None:
        """The turn is over, and `heard` goes into the history."""
        self._speaking = None
        self._answering = None
        cut_off = outcome in ("interrupted", "failed")
        self.transcript.add_bot_message(speech.turn, heard, cut_off=cut_off)
        if self._engine.log_transcripts:
            log.info("said", conversation=self.id, turn=speech.turn, text=heard)
        speech.timeline.mark("heard", self._clock())
        speech.timeline.finish(self.id, outcome)
        self._client.send_event(event("spoken", turn=speech.turn, text=heard, cut_off=cut_off))
        if self._profile.echo == "mute":
            loop = asyncio.get_running_loop()
            self._unmuting = loop.call_later(ECHO_TAIL_SECONDS, self._unmute)

    def _unmute(self) -> None:
        if self._turns.state is not State.SPEAKING and not self._over.is_set():
            self._tasks.create_task(self._broadcast(Mute(muted=False)))

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

    async def _broadcast_end(self) -> None:
        await self._broadcast(End(reason="the call is over"))

    async def _broadcast(self, message: Message) -> None:
        await self._engine.bus.publish(subjects.control(self.id), message)
