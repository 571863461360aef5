"""The caller's audio on its way to a transcriber, for as long as the call lasts."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from parley.audio import bytes_for, duration_ms
from parley.messages import (
    Draining,
    EndOfTurn,
    HearingSpec,
    JobMessage,
    SpeechEnded,
    SpeechProgress,
    SpeechStarted,
    Transcription,
)
from parley.profiles import Profile
from parley.subjects import Stage
from parley_gateway.arrivals import Arrivals
from parley_gateway.claims import claim
from parley_gateway.failover import Failover
from parley_gateway.jobs import Job, JobChannel, JobLost
from parley_gateway.unheard import Unheard

CHUNK_MS = 20
"""Audio goes to the worker in pieces of this length at least, however the client cuts it."""
LONGEST_CHUNK_MS = 200
RECLAIM_PATIENCE_SECONDS = 30.0
"""How long a call may be without a transcriber before it ends."""
SETTLED_SECONDS = 10.0
"""Hearing that was lost after so long begins anew with the first provider. Audio on which one
after another fails sooner ends the call in the end."""
RELIEF_SECONDS = 0.5
"""How often a call looks for another worker while its own is draining."""

Listener = Callable[[JobMessage], None]
OnLost = Callable[[JobLost], None]


class Hearing:
    """One call's hearing: the job, done again elsewhere when it is lost, and the audio it gets."""

    def __init__(
        self, channel: JobChannel, profile: Profile, sample_rate: int, position_ms: float = 0.0
    ) -> None:
        self.arrivals = Arrivals()
        self._channel = channel
        self._profile = profile
        self._rate = sample_rate
        self._chunk = bytes_for(CHUNK_MS, sample_rate)
        self._longest = bytes_for(LONGEST_CHUNK_MS, sample_rate)
        self._unheard = Unheard(sample_rate, round(position_ms * sample_rate / 1000))
        self._muted = False
        self._known_ms = -1.0
        self._failover = Failover(profile.candidates(Stage.STT))
        self._job: Job | None = None
        self._relief: asyncio.Task[Job] | None = None
        self._sending = asyncio.Lock()

    @property
    def understood_ms(self) -> float:
        """How far (ms) final transcriptions cover the call's audio."""
        return self._unheard.understood_ms

    async def open(self) -> None:
        """Find a transcriber, now. Raises NoCapacity or JobLost."""
        self._job = await self._claim(patience=0.0)

    async def run(self, listener: Listener, on_lost: OnLost) -> None:
        """Tell `listener` what is heard, to the call's end. Raises JobLost when hearing is lost.

        `on_lost` is told each time that a worker was lost and another is sought.
        """
        try:
            while self._job is not None:
                try:
                    await self._follow(self._job, listener)
                except JobLost as lost:
                    await self._change(self._job, lost, on_lost)
        finally:
            if self._relief is not None:
                self._relief.cancel()

    async def push(self, pcm: bytes) -> None:
        """The caller's next PCM16."""
        self._unheard.push(bytes(len(pcm)) if self._muted else pcm)
        end_ms = duration_ms(self._unheard.end * 2, self._rate)
        self.arrivals.add(end_ms, asyncio.get_running_loop().time())
        await self._send()

    def turn_under_way(self) -> None:
        """A turn of which a part was understood elsewhere goes on. Before `open`."""
        self._unheard.turn_under_way()

    def mute(self, muted: bool) -> None:
        """From here on the transcriber hears silence (`muted`), or the caller again.

        Done here, so that it holds for audio that is sent again too.
        """
        self._muted = muted

    # --- The job

    async def _claim(self, patience: float) -> Job:
        while True:
            choice = self._failover.choice
            spec = HearingSpec(
                provider=choice.provider,
                settings=choice.settings,
                language=self._profile.language,
                sample_rate=self._rate,
                endpointing_ms=self._profile.endpointing_ms,
                endpointing_max_ms=self._profile.endpointing_max_ms,
                turn_open=self._unheard.turn_open,
            )
            try:
                return await claim(self._channel, 0, spec, patience=patience)
            except JobLost as lost:
                if not self._failover.lost(lost):
                    raise

    async def _change(self, old: Job, lost: JobLost, on_lost: OnLost) -> None:
        """Another worker goes on from what the old one has understood."""
        self._job = None
        relief, self._relief = self._relief, None
        if relief is not None and relief.done() and not relief.cancelled():
            replacement = relief.result()
        else:
            if relief is not None:
                relief.cancel()
            on_lost(lost)
            if old.age_seconds > SETTLED_SECONDS:
                self._failover = Failover(self._profile.candidates(Stage.STT))
            replacement = await self._replace(lost)
        self._unheard.replay(old.silent_seconds)
        self._job = replacement
        await self._send()

    async def _replace(self, lost: JobLost) -> Job:
        if not self._failover.lost(lost):
            raise lost
        return await self._claim(RECLAIM_PATIENCE_SECONDS)

    async def _relieve(self, old: Job) -> Job:
        """Another worker for a job whose own is draining, as soon as there is one."""
        while True:
            try:
                relief = await self._claim(patience=0.0)
            except JobLost:
                await asyncio.sleep(RELIEF_SECONDS)
            else:
                old.lose("it was handed over")
                return relief

    # --- What is heard

    async def _follow(self, job: Job, listener: Listener) -> None:
        repeated_ms = self._known_ms
        async with aclosing(job.output()) as output:
            async for item in output:
                match item:
                    case Draining():
                        self._relief = self._relief or asyncio.create_task(self._relieve(job))
                    case SpeechStarted() | SpeechProgress() | SpeechEnded():
                        # What another worker has told already is not told again.
                        if item.position_ms > repeated_ms:
                            self._learn(item)
                            listener(item)
                    case JobMessage():
                        self._learn(item)
                        listener(item)
        raise JobLost(Stage.STT, "the transcriber ended before the call did")

    def _learn(self, item: JobMessage) -> None:
        match item:
            case SpeechStarted():
                self._unheard.onset(item.position_ms)
            case Transcription() if item.is_final:
                self._unheard.understood(item.position_ms)
            case EndOfTurn():
                self._unheard.turn_over()
        if isinstance(item, SpeechStarted | SpeechProgress | SpeechEnded | EndOfTurn):
            self._known_ms = max(self._known_ms, item.position_ms)

    # --- What is sent

    async def _send(self) -> None:
        """Send on what is there, in pieces of a useful size, unless NATS is away."""
        async with self._sending:
            while (job := self._job) is not None:
                position, pcm = self._unheard.take(self._longest)
                pcm = pcm[: len(pcm) // self._chunk * self._chunk]
                if not pcm or not await job.send_audio(position, pcm):
                    return
                if job is self._job:
                    self._unheard.sent(pcm)
