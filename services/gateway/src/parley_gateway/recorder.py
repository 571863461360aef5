"""What happened in conversations, kept by NATS for whoever reads it later.

Each event is recorded at least once: whoever reads them drops those of a key that was there.
"""

import asyncio
import random
import time
from collections import deque
from typing import Any

from nats.errors import MaxPayloadError
from nats.js.api import Header, StorageType, StreamConfig
from nats.js.errors import APIError, ServerError, ServiceUnavailableError

from parley import logs, subjects
from parley.records import STREAM, Event
from parley_gateway import metrics
from parley_gateway.jetstream import ERRORS, JetStream, answered

log = logs.get(__name__)

DUPLICATE_SECONDS = 600.0
"""The server drops an event that is published again within that time."""
MAX_WAITING = 10_000
"""Events that wait while NATS is away. The oldest is dropped for a new one, counted."""
PUBLISHERS = 16
"""Publishes under way at once: each waits for its acknowledgement."""
RETRY_SECONDS = 0.5


def stream_config(hours: float, replicas: int) -> StreamConfig:
    """The stream; what is older than `hours` is forgotten."""
    return StreamConfig(
        name=STREAM,
        subjects=[subjects.RECORDS],
        storage=StorageType.FILE,
        num_replicas=replicas,
        max_age=hours * 3600,
        duplicate_window=min(DUPLICATE_SECONDS, hours * 3600),
        # Read from whichever server holds it, even while the stream has no leader.
        allow_direct=True,
    )


class Recorder:
    """Takes events at any time; `run` is the task that publishes them."""

    def __init__(self, jetstream: JetStream, *, enabled: bool = True) -> None:
        self.enabled = enabled
        self._jetstream = jetstream
        self._waiting: deque[Event] = deque()
        self._in_flight = 0
        self._filled = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()

    @property
    def waiting(self) -> int:
        """Events that are not kept yet."""
        return len(self._waiting) + self._in_flight

    def record(self, conversation_id: str, kind: str, key: str, **fields: Any) -> None:
        """Keep what happened just now. Never blocks and never fails."""
        if not self.enabled:
            return
        if len(self._waiting) >= MAX_WAITING:
            self._waiting.popleft()
            metrics.RECORDS.labels("dropped").inc()
        self._waiting.append(Event(conversation_id, key, kind, time.time(), fields))
        self._filled.set()
        self._settled.clear()
        metrics.RECORDS_WAITING.set(len(self._waiting))

    async def flush(self) -> None:
        """Return once all that was recorded is kept."""
        await self._settled.wait()

    async def run(self) -> None:
        """Publish what waits, until cancelled."""
        async with asyncio.TaskGroup() as publishers:
            for _ in range(PUBLISHERS):
                publishers.create_task(self._publish_on())

    async def _publish_on(self) -> None:
        while True:
            while not self._waiting:
                self._filled.clear()
                await self._filled.wait()
            # Only so many are taken from the queue while NATS is away.
            event = self._waiting.popleft()
            self._in_flight += 1
            metrics.RECORDS_WAITING.set(len(self._waiting))
            try:
                await self._publish(event)
            finally:
                self._in_flight -= 1
            if not self._waiting and not self._in_flight:
                self._settled.set()

    async def _publish(self, event: Event) -> None:
        """Publish until it is kept, or the server will not have it."""
        while True:
            await self._jetstream.wait_ready()
            try:
                await self._publish_once(event)
            except ERRORS as error:
                if _is_final(error):
                    metrics.RECORDS.labels("refused").inc()
                    log.warning("event not recorded", kind=event.kind, reason=str(error))
                    return
                metrics.RECORDS.labels("failed").inc()
                self._jetstream.report(error)
                await asyncio.sleep(RETRY_SECONDS * random.uniform(0.5, 1.5))
            else:
                metrics.RECORDS.labels("recorded").inc()
                return

    async def _publish_once(self, event: Event) -> None:
        message_id = f"{event.conversation_id}.{event.key}"
        publish = self._jetstream.context.publish(
            subjects.record(event.conversation_id),
            event.encode(),
            stream=STREAM,
            headers={Header.MSG_ID: message_id},
        )
        await answered(publish)


def _is_final(error: Exception) -> bool:
    """Whether the same event would be refused again, rather than JetStream be away."""
    if isinstance(error, APIError):
        return not isinstance(error, ServiceUnavailableError | ServerError)
    return isinstance(error, MaxPayloadError)
