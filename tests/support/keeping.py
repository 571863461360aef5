"""As much of a gateway as keeps calls and records, on a real JetStream."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from nats.js.errors import KeyNotFoundError

from parley.bus import Bus
from parley.config import ServiceConfig
from parley.records import STREAM
from parley_gateway.call_record import CallRecord, ResumeToken, new_holder
from parley_gateway.history import History
from parley_gateway.jetstream import JetStream
from parley_gateway.recorder import Recorder, stream_config
from parley_gateway.state import EntryState, ReplyState, SegmentState, TalkState
from parley_gateway.store import BUCKET, CallStore, bucket_config

RESUME_SECONDS = 30.0


@dataclass
class Keeping:
    """The parts."""

    bus: Bus
    jetstream: JetStream
    store: CallStore
    recorder: Recorder
    history: History

    async def revision(self, conversation_id: str) -> int:
        """How often anything has been written, up to this call's record; 0 without one."""
        try:
            entry = await (await self.jetstream.context.key_value(BUCKET)).get(conversation_id)
        except KeyNotFoundError:
            return 0
        return entry.revision or 0

    async def recorded(self) -> int:
        """How many events are in the stream, once all that wait are."""
        async with asyncio.timeout(60):
            await self.recorder.flush()
        return (await self.jetstream.context.stream_info(STREAM)).state.messages


StartKeeping = Callable[..., Awaitable[Keeping]]


@contextlib.asynccontextmanager
async def keeping(
    nats_url: str,
    *,
    resume_seconds: float = RESUME_SECONDS,
    replicas: int = 1,
    wait_ready: bool = True,
) -> AsyncIterator[Keeping]:
    """All of it, running."""
    async with Bus(ServiceConfig(nats_url=nats_url), "test") as bus, asyncio.TaskGroup() as tasks:
        streams = [bucket_config(resume_seconds, replicas), stream_config(1.0, replicas)]
        jetstream = JetStream(bus, streams)
        store, recorder = CallStore(jetstream, resume_seconds), Recorder(jetstream)
        running = [tasks.create_task(one.run()) for one in (jetstream, store, recorder)]
        if wait_ready:
            async with asyncio.timeout(60):
                await jetstream.wait_ready()
        yield Keeping(bus, jetstream, store, recorder, History(jetstream, store))
        for task in running:
            task.cancel()


def new_call(conversation_id: str = "") -> tuple[CallRecord, ResumeToken]:
    """A call that begins, and the token that resumes it."""
    token = ResumeToken.new(conversation_id or os.urandom(8).hex())
    record = CallRecord(
        conversation_id=token.conversation_id,
        agent="default",
        sample_rate=16_000,
        encoding="linear16",
        secret_sha256=token.digest,
        started_at=1000.0,
        holder=new_holder(),
    )
    return record, token


def replying(turn: int, *segments: str) -> TalkState:
    """A state in which the bot has got so far with its answer to a turn."""
    reply = ReplyState(turn=turn, segments=[SegmentState(text=one) for one in segments])
    entries = [EntryState(speaker="human", turn=turn, text=f"question {turn}")]
    return TalkState(turn=turn, entries=entries, reply=reply, understood_ms=turn * 1000.0)


async def until(condition: Callable[[], bool]) -> None:
    """Return once it holds."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)
