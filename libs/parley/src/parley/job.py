"""One job as its worker sees it: an inbox, an outbox with a seq, and ways to be cancelled."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from parley import metrics, subjects, tracing
from parley.bus import Bus, decode_item_or_drop, decode_or_drop, unsubscribe
from parley.frames import AudioFrame, encode_frame
from parley.interrupts import Fence, InterruptibleEvent
from parley.messages import (
    Begin,
    Cancel,
    End,
    Heartbeat,
    Interrupt,
    JobMessage,
    JobRequest,
    KeepAlive,
    Mute,
)
from parley.sequence import Sequence
from parley.subjects import Stage

HEARTBEAT_SECONDS = 0.25
"""A job that has said nothing for so long says that it lives."""
ABANDONED_SECONDS = 15.0
"""A job that has heard nothing of its conversation for so long gives up: the gateway is gone."""
INBOX_ITEMS = 500
"""What may wait for the job: 10 s of audio. When full, the oldest is dropped and counted."""

Item = AudioFrame | JobMessage | Mute


class Job:
    """A piece of work that a worker has accepted."""

    def __init__(self, bus: Bus, request: JobRequest) -> None:
        self.request = request
        self.on_cancel: Callable[[], object] = lambda: None
        self.cancelled_as: str | None = None
        self.failure: str | None = None
        """Why the job was cancelled by this side though it is still wanted."""
        self.span = tracing.NOTHING
        """What the job is in the trace of its turn."""
        self._bus = bus
        self._inbox: asyncio.Queue[Item] = asyncio.Queue(INBOX_ITEMS)
        # Hearing goes on through every interrupt; what belongs to one turn does not.
        interruptible = request.stage is not Stage.STT
        self._event = InterruptibleEvent(
            request, request.turn, request.attempt, is_interruptible=interruptible
        )
        self._fence = Fence()
        self._arrivals = Sequence(request.stage)
        self._out = subjects.output_of(request.stage, request.conversation_id)
        self._seq = 0
        self._subscriptions: list[Subscription] = []
        self.begun = asyncio.Event()
        """The gateway knows that this job was accepted."""
        self._last_sent = self._last_heard = time.monotonic()

    @property
    def context(self) -> dict[str, object]:
        """The fields that a log line about this job carries."""
        request, trace_id = self.request, self.span.trace_id
        return {
            "conversation": request.conversation_id,
            "turn": request.turn,
            "attempt": request.attempt,
            "stage": str(request.stage),
            **({"trace_id": trace_id} if trace_id else {}),
        }

    # --- For the handler

    async def receive(self) -> Item:
        """The next frame or message for this job."""
        return await self._inbox.get()

    async def send(self, kind: type[JobMessage], **fields: Any) -> None:
        """Send a message of the job to the gateway."""
        request = self.request
        message = kind(turn=request.turn, attempt=request.attempt, seq=self._next_seq(), **fields)
        await self._bus.publish(self._out, message)

    async def send_audio(self, segment: int, position: int, pcm: bytes) -> None:
        """Send PCM16 of a segment; `position` samples of it came before.

        While NATS is away, this waits: the gateway has not heard of that audio, and wants it.
        """
        await self._bus.wait_connected()
        request = self.request
        frame = AudioFrame(request.turn, request.attempt, self._next_seq(), segment, position, pcm)
        await self._bus.publish_media(self._out, encode_frame(frame))

    def _next_seq(self) -> int:
        seq, self._seq = self._seq, self._seq + 1
        self._last_sent = time.monotonic()
        return seq

    # --- For the worker

    async def listen(self) -> None:
        """Subscribe to what concerns the job."""
        request = self.request
        control = subjects.control(request.conversation_id)
        self._subscriptions.append(await self._bus.subscribe(control, self._on_control))
        source = subjects.input_of(request.stage, request.conversation_id)
        if source is not None:
            self._subscriptions.append(await self._bus.subscribe(source, self._on_input))

    async def close(self) -> None:
        """Listen no more."""
        for subscription in self._subscriptions:
            await unsubscribe(subscription)
        self._subscriptions.clear()

    async def tick(self, now: float) -> None:
        """Say that the job lives, if it was silent; give up, if its conversation is."""
        connected = self._bus.connected_seconds
        if min(now - self._last_heard, connected) > ABANDONED_SECONDS:
            self._cancel("abandoned")
        elif now - self._last_sent > HEARTBEAT_SECONDS and self._bus.connected:
            await self.send(Heartbeat)

    def fail(self, reason: str) -> None:
        """Stop: the job cannot be done here as it should be. The gateway is told."""
        if self.failure is None and self.cancelled_as is None:
            self.failure = reason
            self.on_cancel()

    def _move_fence(self, turn: int) -> None:
        self._fence.move(turn)
        if not self._fence.passes(self._event):
            self._cancel("cancelled")

    def _cancel(self, outcome: str) -> None:
        if self.cancelled_as is None:
            self.cancelled_as = outcome
            self.on_cancel()

    async def _on_control(self, msg: Msg) -> None:
        self._last_heard = time.monotonic()
        message = decode_or_drop(msg.data, msg.subject)
        request = self.request
        match message:
            case Begin() if (message.stage, message.turn) == (request.stage, request.turn):
                if message.attempt == request.attempt:
                    self.begun.set()
                elif message.attempt > request.attempt:
                    self._cancel("cancelled")  # another worker has been given this work
            case Interrupt():
                self._move_fence(message.turn)
            case KeepAlive():
                self._move_fence(message.fence)
            case Cancel() if message.stage is request.stage and (
                (request.turn, request.attempt) <= (message.turn, message.attempt)
            ):
                self._cancel("cancelled")
            case End():
                self._cancel("done")
            case Mute() if request.stage is Stage.STT:
                self._put(message)

    async def _on_input(self, msg: Msg) -> None:
        self._last_heard = time.monotonic()
        item = decode_item_or_drop(msg.data, msg.subject)
        if item is None:
            return
        if (item.turn, item.attempt) != (self.request.turn, self.request.attempt):
            metrics.MESSAGES_DROPPED.labels("fenced").inc()
            return
        if not self._arrivals.admit(item.seq):
            return
        if self._arrivals.missing:
            # Going on would lose words. The gateway has them all, and gives them to another job.
            self.fail("a part of the job's input never arrived")
        elif not isinstance(item, Heartbeat):
            self._put(item)

    def _put(self, item: Item) -> None:
        if self._inbox.full():
            self._inbox.get_nowait()
            metrics.MESSAGES_DROPPED.labels("overflow").inc()
        self._inbox.put_nowait(item)
