"""What NATS is to keep for the gateway: made as it starts, and again should it be gone."""

import asyncio
import random
from collections.abc import Awaitable, Sequence
from typing import TypeVar

import nats.errors
from nats.js import JetStreamContext
from nats.js.api import StreamConfig
from nats.js.errors import APIError, BadRequestError, NoStreamResponseError

from parley import logs
from parley.bus import Bus
from parley_gateway import metrics

log = logs.get(__name__)

REQUEST_SECONDS = 2.0
"""How long one request may take. A new leader is elected in some 4 s, so more is of no use."""
RETRY_SECONDS = 2.0
ERRORS = (nats.errors.Error, OSError, TimeoutError, ValueError)
"""What a request to JetStream raises. Most of it passes: the server, or its leader, is away."""
OTHER_CONFIGURATION = 10058
"""The server's code for: there is a stream of that name with another configuration."""

T = TypeVar("T")


async def answered(request: Awaitable[T]) -> T:
    """What a request of the NATS client gives, unless this task is being cancelled."""
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    result = await request
    # The client waits with wait_for, which in Python 3.11 can swallow a cancellation.
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError
    return result


class JetStream:
    """Keeps the streams in being; `run` is its task. Without JetStream it tries on and on."""

    def __init__(self, bus: Bus, streams: Sequence[StreamConfig]) -> None:
        self.context: JetStreamContext = bus.jetstream(REQUEST_SECONDS)
        self.available = False
        """Whether the streams have been there at all, so that they can be counted on."""
        self._bus = bus
        self._streams = streams
        self._made = asyncio.Event()
        self._missing = asyncio.Event()
        self._tried = asyncio.Event()
        metrics.JETSTREAM.set(0)

    @property
    def ready(self) -> bool:
        """Whether a request is worth trying now."""
        return self._made.is_set() and self._bus.connected

    async def wait_ready(self) -> None:
        """Return once a request is worth trying."""
        while not self.ready:
            await self._made.wait()
            await self._bus.wait_connected()

    async def wait_tried(self, seconds: float) -> None:
        """Return once it is known whether there is JetStream, or after so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._tried.wait()
        except TimeoutError:
            log.warning("JetStream has not answered", seconds=seconds)

    def report(self, error: Exception) -> None:
        """A request has failed with `error`: if the stream was not there, see to it."""
        if isinstance(error, NoStreamResponseError):
            self._made.clear()
            self._missing.set()
            metrics.JETSTREAM.set(0)

    async def run(self) -> None:
        """Make the streams, whenever they are missing, until cancelled."""
        warned = False
        while True:
            try:
                await self._bus.wait_connected()
                for stream in self._streams:
                    await ensure(self.context, stream)
            except ERRORS as error:
                if not warned:
                    log.warning(
                        "no JetStream: calls cannot be resumed, and are not recorded",
                        reason=str(error) or type(error).__name__,
                    )
                warned = True
            else:
                self._made_all()
                warned = False
                await self._missing.wait()
            self._tried.set()
            await asyncio.sleep(RETRY_SECONDS * random.uniform(0.5, 1.0))

    def _made_all(self) -> None:
        log.info("JetStream ready", streams=[stream.name for stream in self._streams])
        self.available = True
        self._missing.clear()
        self._made.set()
        self._tried.set()
        metrics.JETSTREAM.set(1)


async def ensure(context: JetStreamContext, stream: StreamConfig) -> None:
    """Make a stream, or give the one that is there this configuration. Raises one of ERRORS."""
    try:
        await answered(context.add_stream(stream))
    except BadRequestError as error:
        if error.err_code != OTHER_CONFIGURATION:
            raise
        try:
            await answered(context.update_stream(stream))
        except APIError as refused:
            log.warning("stream kept as it is", stream=stream.name, reason=str(refused))
