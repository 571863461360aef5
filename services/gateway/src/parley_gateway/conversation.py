"""One live call: joins hearing, turn-taking and the bot, and keeps the history."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from parley import subjects
from parley.bus import Bus
from parley.messages import End, KeepAlive, Message, Mute
from parley.profiles import Profile
from parley.subjects import Stage
from parley.transcript import Entry, Transcript
from parley_gateway.bot import Means
from parley_gateway.chronicle import Chronicle, Record
from parley_gateway.client import Client
from parley_gateway.echo import Overheard, echo_for
from parley_gateway.hearing import Hearing
from parley_gateway.holding import Holding, Notice
from parley_gateway.jobs import JobChannel, JobLost, Pool
from parley_gateway.pacer import Pacer
from parley_gateway.prepared import PreparedSpeech
from parley_gateway.reply import prepare_agent
from parley_gateway.resume import Resumed
from parley_gateway.state import EntryState, TalkState
from parley_gateway.talk import Talk
from parley_gateway.turn_trace import CallTraces

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
    what happened, as a kind, a key that is unique in the call, and fields. `agent` is the profile's
    name.
    """

    def __init__(  # noqa: PLR0913 -- all that a call begins with
        self,
        conversation_id: str,
        profile: Profile,
        client: Client,
        engine: Engine,
        *,
        on_state: OnState,
        record: Record,
        agent: str = "",
        resumed: Resumed | None = None,
    ) -> None:
        self.id = conversation_id
        self._traces = CallTraces(conversation_id, agent)
        self.transcript = Transcript(profile.prompt)
        self._profile = profile
        self._engine = engine
        self._on_state = on_state
        self._resumed = resumed
        self._clock = asyncio.get_running_loop().time
        epoch = 0 if resumed is None else resumed.epoch
        first = epoch * ATTEMPTS_PER_GATEWAY % 65_000 + 1
        self._channels = {
            stage: JobChannel(engine.pool, stage, conversation_id, first_attempt=first)
            for stage in Stage
        }
        rate = client.format.sample_rate
        self._echo = echo_for(profile.echo, rate, self._mute)
        self._client = Overheard(client, self._echo, self._clock)
        self._chronicle = Chronicle(
            conversation_id, record, epoch, log_texts=engine.log_transcripts
        )
        audio_from_ms = 0.0 if resumed is None else resumed.audio_from_ms
        self._hearing = Hearing(self._channels[Stage.STT], profile, rate, audio_from_ms)
        self._tasks = asyncio.TaskGroup()
        self._talk = Talk(
            self._means(),
            engine.bus,
            self._hearing.arrivals,
            self._tasks,
            changed=self._changed,
            hang_up=self.end,
        )
        self._over = asyncio.Event()
        self._reason = "hang_up"
        self._abandoned = False
        if resumed is not None:
            self._take_up(resumed)

    def _means(self) -> Means:
        return Means(
            profile=self._profile,
            client=self._client,
            channels=self._channels,
            pacer=self._engine.pacer,
            prepared=self._engine.prepared,
            transcript=self.transcript,
            chronicle=self._chronicle,
            echo=self._echo,
            traces=self._traces,
        )

    def _take_up(self, resumed: Resumed) -> None:
        """From where another gateway had to stop."""
        for one in resumed.state.entries:
            entry = Entry(one.speaker, one.turn, one.text, one.cut_off, one.rounds)
            self.transcript.entries.append(entry)
            self._chronicle.said(self.transcript.entries[-1])
        if resumed.state.said:
            self._hearing.turn_under_way()
        self._talk.restore(resumed)

    # --- The call's life

    async def open(self) -> None:
        """Find a transcriber. Raises NoCapacity or JobLost; `close` is due in any case."""
        for channel in self._channels.values():
            await channel.open()
        await self._hearing.open()

    async def run(self) -> str:
        """Hold the conversation until `end`; its reason.

        Raises JobLost (in a group) when hearing is lost.
        """
        # While NATS is away nobody hears whether the caller speaks.
        bot_is_silent = lambda: not self._talk.bot.is_busy  # noqa: E731
        holding = Holding(self._client, self._engine, self._profile, bot_is_silent)
        async with self._tasks as tasks:
            background = [
                tasks.create_task(self._hear()),
                tasks.create_task(self._keep_alive()),
                tasks.create_task(self._prepare()),
                tasks.create_task(holding.run()),
            ]
            if self._resumed is None:
                self._talk.begin()
            else:
                self._talk.go_on(self._resumed)
            await self._over.wait()
            self._talk.close()
            for task in background:
                task.cancel()
        return self._reason

    def end(self, reason: str = "hang_up") -> None:
        """The call is over."""
        if not self._over.is_set():
            self._reason = reason
        self._over.set()

    def abandon(self) -> None:
        """Another gateway has the call: let go of it, and of the workers, who are its now."""
        self._abandoned = True
        self._over.set()

    async def close(self) -> None:
        """Tell the workers, and let go of everything."""
        if not self._abandoned and (left := self._talk.bot.left_at) is not None:
            self._chronicle.left_at(*left)
        self._talk.close()
        self._echo.close()
        if not self._abandoned:
            await self._broadcast(End(reason="the call is over"))
        for channel in self._channels.values():
            await channel.close()

    @property
    def quiet(self) -> bool:
        """Whether nobody speaks, and nothing is being answered."""
        return self._talk.turns.quiet and not self._talk.bot.is_busy

    @property
    def standing(self) -> tuple[str, int]:
        """Whose turn it is, and the turn's number, for people who watch."""
        turns = self._talk.turns
        return str(turns.state), turns.turn

    def state(self) -> TalkState:
        """What has to outlive this gateway."""
        return TalkState(
            turn=self._talk.turns.turn,
            entries=[
                EntryState.model_validate(one, from_attributes=True)
                for one in self.transcript.entries
            ],
            said=self._talk.turns.said,
            reply=self._talk.bot.state(),
            understood_ms=self._hearing.understood_ms,
        )

    def _changed(self) -> None:
        self._on_state(self.state())

    # --- From the caller

    async def audio(self, pcm: bytes) -> None:
        """The caller's PCM16, at the client's sample rate."""
        await self._hearing.push(self._echo.heard(pcm, self._clock()))

    def user_text(self, text: str) -> None:
        """The caller has typed a turn."""
        self._talk.user_text(text)

    def interrupt(self) -> None:
        """The caller's side asks for silence."""
        self._talk.interrupt()

    def playback(self, turn: int, ms: float) -> None:
        """The client has played so much (ms) of a turn."""
        self._talk.bot.played(turn, ms)

    # --- In the background

    async def _hear(self) -> None:
        try:
            await self._hearing.run(self._talk.heard, self._on_hearing_lost)
        except JobLost:
            # Nobody hears the caller any more. They are told so before the call ends.
            self._talk.close()
            if (apology := self._talk.bot.apology()) is not None:
                await Notice(self._client, apology).play(self._engine.pacer)
            raise

    def _on_hearing_lost(self, lost: JobLost) -> None:
        self._chronicle.failover(lost)
        self._talk.hearing_lost()

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(KEEP_ALIVE_SECONDS)
            if self._engine.bus.connected:
                await self._broadcast(KeepAlive(fence=self._talk.fence.turn))

    async def _prepare(self) -> None:
        rate = self._client.format.sample_rate
        for text in (self._profile.apology, self._profile.hold_message):
            self._engine.prepared.want(self._profile, text, rate)
        if self._resumed is None:
            await prepare_agent(self._channels[Stage.AGENT], self._profile, self.transcript)

    def _mute(self, muted: bool) -> None:
        if self._over.is_set():
            return
        self._hearing.mute(muted)
        self._tasks.create_task(self._broadcast(Mute(muted=muted)))

    async def _broadcast(self, message: Message) -> None:
        await self._engine.bus.publish(subjects.control(self.id), message)
