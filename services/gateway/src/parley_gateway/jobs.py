"""Jobs as the gateway sees them: send a worker input, receive what it makes, notice its loss."""

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Any

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from parley import logs, subjects, tracing
from parley import metrics as shared_metrics
from parley.bus import Bus, decode_item_or_drop, unsubscribe
from parley.frames import AudioFrame, encode_frame
from parley.messages import (
    Begin,
    Cancel,
    Done,
    Failed,
    Heartbeat,
    JobMessage,
    JobRequest,
    Retry,
    Spec,
)
from parley.sequence import Sequence
from parley.subjects import Stage
from parley_gateway import metrics
from parley_gateway.liveness import PROBE_SECONDS, Liveness, WorkerKey
from parley_gateway.workers import Workers

log = logs.get(__name__)

LOST_SECONDS = 1.2
"""A job that is silent for so long is lost: workers send a heartbeat each quarter of a second."""
PROMPT_SECONDS = 1.0
"""How often a job that gets no input is sent a heartbeat: its seq shows what was lost."""
INBOX_ITEMS = 2000

Item = AudioFrame | JobMessage


class JobLost(Exception):
    """The job cannot be done, or not any more. The text is for people.

    `by_provider`: the provider failed or refused; otherwise it was the worker that was lost.
    """

    def __init__(
        self,
        stage: Stage,
        reason: str,
        retry: Retry = Retry.NOW,
        *,
        by_provider: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(reason)
        self.stage = stage
        self.retry = retry
        self.by_provider = by_provider
        self.retry_after = retry_after

    @property
    def cause(self) -> str:
        """The reason in a word: `provider` or `worker`."""
        return "provider" if self.by_provider else "worker"


class NoCapacity(JobLost):
    """No worker of the stage had room."""

    cause = "no_capacity"


class Wake(JobMessage):
    """Who reads a job's output has asked for this. No worker sends it."""


class Job:
    """A job that was given away, or is about to be."""

    def __init__(
        self, channel: "JobChannel", turn: int, attempt: int, spec: Spec, workers: "Pool"
    ) -> None:
        self.turn = turn
        self.attempt = attempt
        self.stage = channel.stage
        self._channel = channel
        self._spec = spec
        self._pool = workers
        self._worker: WorkerKey | None = None
        self._arrivals = Sequence(channel.stage)
        self._inbox: asyncio.Queue[Item | JobLost] = asyncio.Queue(INBOX_ITEMS)
        self._seq = 0
        self._over = False
        self._ended = False
        self._heard_at = self._sent_at = self._made_at = time.monotonic()
        self.span = tracing.NOTHING
        """The attempt in the trace of its turn."""

    def request(self) -> JobRequest:
        """What is asked of a worker."""
        return JobRequest(
            stage=self.stage,
            conversation_id=self._channel.conversation_id,
            turn=self.turn,
            attempt=self.attempt,
            spec=self._spec.model_dump(),
        )

    async def begin(self, worker_id: str) -> None:
        """A worker has accepted: tell it to begin, and watch over it."""
        self._worker = WorkerKey(self.stage, worker_id)
        self.span.set({"parley.worker": worker_id, "parley.attempt": self.attempt})
        self._heard_at = time.monotonic()
        self._pool.liveness.watch(self._worker, self._on_worker_gone)
        self._pool.jobs.add(self)
        message = Begin(stage=self.stage, turn=self.turn, attempt=self.attempt)
        await self._control(message)

    @property
    def age_seconds(self) -> float:
        """How long (s) ago the job was made."""
        return time.monotonic() - self._made_at

    @property
    def silent_seconds(self) -> float:
        """How long (s) nothing has been heard of the job."""
        return time.monotonic() - self._heard_at

    # --- Input

    async def send(self, kind: type[JobMessage], **fields: Any) -> None:
        """Send the worker a message."""
        subject = subjects.input_of(self.stage, self._channel.conversation_id)
        if subject is None:
            raise ValueError(f"{self.stage} jobs take no input")
        message = kind(turn=self.turn, attempt=self.attempt, seq=self._seq, **fields)
        self._seq += 1
        self._sent_at = time.monotonic()
        await self._channel.bus.publish(subject, message)

    async def send_audio(self, position: int, pcm: bytes) -> bool:
        """Send the worker the caller's PCM16; `position` samples of the call came before.

        False, and nothing sent, while NATS is away.
        """
        frame = AudioFrame(self.turn, self.attempt, self._seq, 0, position, pcm)
        subject = subjects.audio(self._channel.conversation_id)
        sent = await self._channel.bus.publish_media(subject, encode_frame(frame))
        self._seq += sent
        self._sent_at = time.monotonic()
        return sent

    async def cancel(self) -> None:
        """Take in no more, and tell the worker so, unless it has ended the job itself."""
        self.close()
        if self._ended:
            return
        self._ended = True
        await self._control(Cancel(stage=self.stage, turn=self.turn, attempt=self.attempt))

    async def _control(self, message: Begin | Cancel) -> None:
        await self._channel.bus.publish(subjects.control(self._channel.conversation_id), message)

    # --- Output

    def put(self, item: Item) -> None:
        """Take in a message; one that is missing before it means that the job is lost."""
        self._heard_at = time.monotonic()
        if self._over or not self._arrivals.admit(item.seq):
            return
        if self._arrivals.missing:
            self.lose("a part of what it made never arrived")
        elif not isinstance(item, Heartbeat):
            self._put(item)

    def lose(self, reason: str) -> None:
        """Whoever reads the output is told, after what has come before, that the job is lost."""
        self.close()
        self._put(JobLost(self.stage, f"the {self.stage} job was lost: {reason}"))

    def _put(self, item: Item | JobLost) -> None:
        try:
            self._inbox.put_nowait(item)
        except asyncio.QueueFull:
            shared_metrics.MESSAGES_DROPPED.labels("overflow").inc()
            self._inbox.get_nowait()
            self._inbox.put_nowait(JobLost(self.stage, f"{self.stage} output came too fast"))

    def wake_in(self, seconds: float) -> None:
        """Have a Wake in the output after so long."""
        wake = Wake(turn=self.turn, attempt=self.attempt, seq=0)
        asyncio.get_running_loop().call_later(seconds, self._put, wake)

    def unread(self) -> list[Item]:
        """What has come and was not read. For when nobody will read it any more."""
        items = []
        while not self._inbox.empty():
            if not isinstance(item := self._inbox.get_nowait(), JobLost):
                items.append(item)
        return items

    async def output(self) -> AsyncGenerator[Item, None]:
        """What the worker makes, until it is done. Raises JobLost when it fails or is lost."""
        outcome = "cancelled"
        count = metrics.JOBS.labels
        try:
            while True:
                item = await self._inbox.get()
                match item:
                    case JobLost():
                        outcome = "lost"
                        count(self.stage, outcome).inc()
                        raise item
                    case Done():
                        self._ended, outcome = True, "done"
                        count(self.stage, outcome).inc()
                        return
                    case Failed():
                        self._ended, outcome = True, "failed"
                        count(self.stage, outcome).inc()
                        raise JobLost(
                            self.stage,
                            item.reason,
                            item.retry,
                            by_provider=True,
                            retry_after=item.retry_after,
                        )
                yield item
        finally:
            self._end_span(outcome)
            await self.cancel()

    def _end_span(self, outcome: str) -> None:
        self.span.set({"parley.outcome": outcome})
        if outcome in ("lost", "failed"):
            self.span.fail("worker" if outcome == "lost" else "provider")
        self.span.end()

    async def look_after(self, now: float) -> None:
        """Has the worker fallen silent, or may it have missed what it was sent last?"""
        connected = self._channel.bus.connected_seconds
        if min(now - self._heard_at, connected) > LOST_SECONDS:
            if self._worker is not None:
                self._pool.workers.suspect(*self._worker)
            await self.cancel()
            reason = f"its worker has not been heard of for {LOST_SECONDS:g} s"
            self._put(JobLost(self.stage, f"the {self.stage} job was lost: {reason}"))
        elif self.stage is Stage.TTS and connected and now - self._sent_at > PROMPT_SECONDS:
            await self.send(Heartbeat)

    def _on_worker_gone(self) -> None:
        self.lose("its worker is gone")

    def close(self) -> None:
        """Take in no more."""
        self._over = True
        self._channel.forget(self)
        self._pool.jobs.discard(self)
        if self._worker is not None:
            self._pool.liveness.unwatch(self._worker, self._on_worker_gone)


class Pool:
    """The workers as one gateway sees them, and its jobs that they do."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.workers = Workers(bus)
        self.liveness = Liveness(bus)
        self.jobs: set[Job] = set()

    async def open(self) -> None:
        """Begin to listen."""
        await self.workers.open()
        await self.liveness.open()

    async def close(self) -> None:
        """Listen no more."""
        await self.workers.close()
        await self.liveness.close()

    async def run(self) -> None:
        """Look after all jobs until cancelled."""
        while True:
            await self.liveness.probe()
            now = time.monotonic()
            for job in list(self.jobs):
                await job.look_after(now)
            await asyncio.sleep(PROBE_SECONDS)


class JobChannel:
    """Where a conversation's jobs of one stage get their numbers and their output."""

    def __init__(
        self, pool: Pool, stage: Stage, conversation_id: str, *, first_attempt: int = 1
    ) -> None:
        self.pool = pool
        self.bus = pool.bus
        self.stage = stage
        self.conversation_id = conversation_id
        self._first_attempt = first_attempt
        self._attempts: dict[int, int] = {}
        self._jobs: dict[tuple[int, int], Job] = {}
        self._subscription: Subscription | None = None

    async def open(self) -> None:
        """Listen to the stage's output."""
        subject = subjects.output_of(self.stage, self.conversation_id)
        self._subscription = await self.bus.subscribe(subject, self._on_message)

    async def close(self) -> None:
        """Listen no more."""
        for job in list(self._jobs.values()):
            job.close()
        await unsubscribe(self._subscription)
        self._subscription = None

    def new_job(self, turn: int, spec: Spec) -> Job:
        """The next attempt at a turn's job."""
        attempt = self._attempts.get(turn, self._first_attempt - 1) + 1
        self._attempts = {one: at for one, at in self._attempts.items() if one > turn - 2}
        self._attempts[turn] = attempt
        job = Job(self, turn, attempt, spec, self.pool)
        self._jobs[turn, attempt] = job
        return job

    def forget(self, job: Job) -> None:
        """What still comes of the job is dropped."""
        self._jobs.pop((job.turn, job.attempt), None)

    async def _on_message(self, msg: Msg) -> None:
        item = decode_item_or_drop(msg.data, msg.subject)
        if item is None:
            return
        job = self._jobs.get((item.turn, item.attempt))
        if job is None:
            shared_metrics.MESSAGES_DROPPED.labels("fenced").inc()
            return
        job.put(item)
