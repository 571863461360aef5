"""Jobs as the gateway sees them: claim a worker, send it input, receive what it makes."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from parley import logs, subjects
from parley import metrics as shared_metrics
from parley.bus import (
    Bus,
    NoResponders,
    RequestTimeout,
    decode_item_or_drop,
    unsubscribe,
)
from parley.frames import AudioFrame, encode_frame
from parley.messages import (
    BadMessage,
    Cancel,
    Done,
    Failed,
    Heartbeat,
    JobAccepted,
    JobMessage,
    JobRefused,
    JobRequest,
    Retry,
    Spec,
)
from parley.sequence import Sequence
from parley.subjects import Stage
from parley_gateway import metrics

log = logs.get(__name__)

CLAIM_TIMEOUT_SECONDS = 0.5
"""How long one worker may take to answer a claim."""
CLAIM_PATIENCE_SECONDS = 3.0
"""How long a claim is tried again while nobody has capacity."""
LOST_SECONDS = 2.0
"""A job that is silent for so long is lost: workers send a heartbeat each half second."""
INBOX_ITEMS = 2000

Item = AudioFrame | JobMessage


class JobLost(Exception):
    """The job cannot be done, or not any more. The text is for people."""

    def __init__(self, stage: Stage, reason: str, retry: Retry = Retry.NOW) -> None:
        super().__init__(reason)
        self.stage = stage
        self.retry = retry


class NoCapacity(JobLost):
    """No worker of the stage had room."""


class JobChannel:
    """Where a conversation's jobs of one stage are claimed; one of them is current at a time."""

    def __init__(self, bus: Bus, stage: Stage, conversation_id: str) -> None:
        self.bus = bus
        self.stage = stage
        self.conversation_id = conversation_id
        self._current: Job | None = None
        self._subscription: Subscription | None = None

    async def open(self) -> None:
        """Listen to the stage's output."""
        subject = subjects.output_of(self.stage, self.conversation_id)
        self._subscription = await self.bus.subscribe(subject, self._on_message)

    async def close(self) -> None:
        """Listen no more."""
        await unsubscribe(self._subscription)
        self._subscription = None

    async def claim(
        self,
        turn: int,
        spec: Spec,
        *,
        first_attempt: int = 1,
        patience: float = CLAIM_PATIENCE_SECONDS,
    ) -> "Job":
        """Find a worker for a job. Raises NoCapacity after `patience` s, JobLost on a refusal."""
        job = Job(self, turn, first_attempt)
        self._current = job
        began = time.monotonic()
        await job.claim(spec, deadline=began + patience)
        metrics.CLAIM.labels(self.stage).observe(time.monotonic() - began)
        return job

    async def _on_message(self, msg: Msg) -> None:
        item = decode_item_or_drop(msg.data, msg.subject)
        if item is None:
            return
        if self._current is None or not self._current.admits(item):
            shared_metrics.MESSAGES_DROPPED.labels("fenced").inc()
            return
        self._current.put(item)


class Job:
    """A job that was given away, or is about to be."""

    def __init__(self, channel: JobChannel, turn: int, attempt: int) -> None:
        self.turn = turn
        self.attempt = attempt
        self._channel = channel
        self._arrivals = Sequence(channel.stage)
        self._inbox: asyncio.Queue[Item] = asyncio.Queue(INBOX_ITEMS)
        self._seq = 0
        self._over = False

    async def claim(self, spec: Spec, deadline: float) -> None:
        """Offer the job to workers until one accepts. See JobChannel.claim."""
        channel, refusal = self._channel, "no worker of this stage has capacity"
        count = metrics.JOBS.labels
        while True:
            try:
                answer = await channel.bus.request(
                    subjects.job(channel.stage), self._request(spec), CLAIM_TIMEOUT_SECONDS
                )
            except NoResponders:
                count(channel.stage, "no_capacity").inc()
                await asyncio.sleep(0.05)
            except (RequestTimeout, BadMessage):
                # That worker may have accepted after all: the next attempt fences it off.
                count(channel.stage, "timeout").inc()
                await self.cancel()
                self.attempt += 1
                self._over = False
            else:
                if isinstance(answer, JobAccepted):
                    count(channel.stage, "accepted").inc()
                    return
                if isinstance(answer, JobRefused):
                    count(channel.stage, "refused").inc()
                    refusal = answer.reason
                    if answer.retry is Retry.NEVER:
                        raise JobLost(channel.stage, refusal, Retry.NEVER)
                    await asyncio.sleep(0.02)
            if time.monotonic() > deadline:
                raise NoCapacity(channel.stage, refusal, Retry.LATER)

    def _request(self, spec: Spec) -> JobRequest:
        return JobRequest(
            stage=self._channel.stage,
            conversation_id=self._channel.conversation_id,
            turn=self.turn,
            attempt=self.attempt,
            spec=spec.model_dump(),
        )

    # --- Input

    async def send(self, kind: type[JobMessage], **fields: Any) -> None:
        """Send the worker a message."""
        subject = subjects.input_of(self._channel.stage, self._channel.conversation_id)
        if subject is None:
            raise ValueError(f"{self._channel.stage} jobs take no input")
        message = kind(turn=self.turn, attempt=self.attempt, seq=self._next_seq(), **fields)
        await self._channel.bus.publish(subject, message)

    async def send_audio(self, position: int, pcm: bytes) -> None:
        """Send the worker the caller's PCM16; `position` samples of the call came before."""
        frame = AudioFrame(self.turn, self.attempt, self._next_seq(), 0, position, pcm)
        subject = subjects.audio(self._channel.conversation_id)
        await self._channel.bus.publish_media(subject, encode_frame(frame))

    async def cancel(self) -> None:
        """Tell the worker that the job is not wanted any more, unless it is over."""
        if self._over:
            return
        self._over = True
        message = Cancel(stage=self._channel.stage, turn=self.turn, attempt=self.attempt)
        await self._channel.bus.publish(subjects.control(self._channel.conversation_id), message)

    def _next_seq(self) -> int:
        seq, self._seq = self._seq, self._seq + 1
        return seq

    # --- Output

    def admits(self, item: Item) -> bool:
        """Whether a message is this job's, and new."""
        mine = (item.turn, item.attempt) == (self.turn, self.attempt)
        return mine and not self._over and self._arrivals.admit(item.seq)

    def put(self, item: Item) -> None:
        """Take in a message; a job that overruns its reader loses the newest, counted."""
        try:
            self._inbox.put_nowait(item)
        except asyncio.QueueFull:
            shared_metrics.MESSAGES_DROPPED.labels("overflow").inc()

    async def output(self) -> AsyncIterator[Item]:
        """What the worker makes, until it is done. Raises JobLost when it fails or falls silent."""
        stage = self._channel.stage
        while True:
            try:
                # Not wait_for: in Python 3.11 it can swallow a cancellation.
                async with asyncio.timeout(LOST_SECONDS):
                    item = await self._inbox.get()
            except TimeoutError:
                metrics.JOBS.labels(stage, "lost").inc()
                reason = f"the {stage} worker has not been heard of for {LOST_SECONDS:.0f} s"
                raise JobLost(stage, reason) from None
            match item:
                case Heartbeat():
                    continue
                case Done():
                    self._over = True
                    metrics.JOBS.labels(stage, "done").inc()
                    return
                case Failed():
                    self._over = True
                    metrics.JOBS.labels(stage, "failed").inc()
                    raise JobLost(stage, item.reason, item.retry)
            yield item
