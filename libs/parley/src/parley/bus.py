"""NATS with settings fit for live audio.

The client's defaults are made for other work: a dead server is noticed after minutes, and
whatever is published meanwhile is kept and sent later. Stale audio must never be sent, so
media is discarded while disconnected, and a dead server is noticed in seconds.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import NamedTuple, Self

import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import JetStreamContext

from parley import logs, metrics, nats_login
from parley.config import ServiceConfig
from parley.frames import AudioFrame, BadFrame, decode_frame, is_frame
from parley.messages import AnyMessage, BadMessage, JobMessage, Message, decode, encode
from parley.nats_client import ConnectedMsg, StrictClient

log = logs.get(__name__)

PING_SECONDS = 0.5
UNANSWERED_PINGS = 3
"""A server that does not answer is left after about 2 s. A stall of our own costs one ping."""
RECONNECT_SECONDS = 0.1
PENDING_BYTES = 512 * 1024
"""What may wait for a lost server: control messages of a few seconds, never media."""
CONNECT_SECONDS = 30.0
"""How long a starting service waits for NATS."""
CLOSE_SECONDS = 1.0
LOOK_SECONDS = 0.02

NoResponders = nats.errors.NoRespondersError
RequestTimeout = nats.errors.TimeoutError
MessageCallback = Callable[[Msg], Awaitable[None]]


class BusUnreachable(Exception):
    """NATS could not be reached when the service started."""


class Server(NamedTuple):
    """A NATS server: its address (without any password), its name and version."""

    address: str
    name: str
    version: str


class Bus:
    """One process's connection to NATS. Use it as an async context manager.

    Answers come to `_INBOX_<name>`, `name` without its `parley-`: who may read which inbox is a
    matter of the server's permissions. The server is waited for up to `connect_seconds`, or 30.
    """

    def __init__(
        self, config: ServiceConfig, name: str, *, connect_seconds: float | None = None
    ) -> None:
        self._config = config
        self._name = name
        self._connect_seconds = connect_seconds or CONNECT_SECONDS
        self._nats = StrictClient(config)
        self._errors = _RateLimitedErrors()
        self._closing = False
        self._started = False
        self._up = asyncio.Event()
        self._down = asyncio.Event()
        self._up_since = 0.0

    async def __aenter__(self) -> Self:
        """Connect; waits up to 30 s for the server, then raises BusUnreachable.

        Raises it at once where the server cannot be trusted, or does not let this process in.
        """
        try:
            async with asyncio.timeout(self._connect_seconds):
                await self._connect()
        except (OSError, nats.errors.Error, TimeoutError) as error:
            await self._close()
            last = f", but: {self._errors.last}" if self._errors.last else ""
            raise self._unreachable(
                str(error) or f"no answer in {self._connect_seconds:.0f} s{last}"
            ) from None
        except BusUnreachable:
            await self._close()
            raise
        self._started = True
        self._came_up()
        metrics.SUBSCRIPTIONS.set_function(lambda: len(self._nats._subs))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
            async with asyncio.timeout(2):
                await self._nats.flush(timeout=1)
        await self._close()

    async def _close(self) -> None:
        self._closing = True
        # A lost connection cannot be closed well, and closes all the same. One whose TLS has
        # failed would be waited for without end.
        with contextlib.suppress(nats.errors.Error, OSError, AssertionError, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._nats.close()
        await self._stop_reconnecting()
        metrics.BUS_CONNECTED.set(0)

    async def _stop_reconnecting(self) -> None:
        """The client cancels its search for a server once, and in Python 3.11 the wait for a
        connection can swallow that: the search would go on for ever.
        """
        for _ in range(50):
            searching = [task for task in asyncio.all_tasks() if self._is_search(task)]
            if not searching:
                return
            for task in searching:
                task.cancel()
            await asyncio.wait(searching, timeout=0.1)

    def _is_search(self, task: "asyncio.Task[object]") -> bool:
        coroutine = task.get_coro()
        frame = getattr(coroutine, "cr_frame", None)
        name = getattr(coroutine, "__qualname__", "")
        mine = frame is not None and frame.f_locals.get("self") is self._nats
        return mine and name == "Client._attempt_reconnect"

    def _unreachable(self, reason: str) -> BusUnreachable:
        return BusUnreachable(f"cannot use NATS at {nats_login.shown(self._config)}: {reason}")

    async def _connect(self) -> None:
        credentials = self._config.nats_credentials
        await self._nats.connect(
            servers=nats_login.urls(self._config),
            name=self._name,
            inbox_prefix=f"_INBOX_{self._name.removeprefix('parley-')}",
            tls=nats_login.tls_context(self._config),
            allow_reconnect=True,
            max_reconnect_attempts=-1,
            reconnect_time_wait=RECONNECT_SECONDS,  # type: ignore[arg-type]  # it only sleeps on it
            connect_timeout=2,
            ping_interval=PING_SECONDS,  # type: ignore[arg-type]  # it only sleeps on it
            max_outstanding_pings=UNANSWERED_PINGS,
            pending_size=PENDING_BYTES,
            user_credentials=str(credentials) if credentials else None,
            error_cb=self._on_error,
            disconnected_cb=self._on_disconnect,
            reconnected_cb=self._on_reconnect,
        )

    def _came_up(self) -> None:
        self._up_since = time.monotonic()
        self._up.set()
        self._down.clear()
        metrics.BUS_CONNECTED.set(1)

    async def _on_error(self, error: Exception) -> None:
        await self._errors.report(error)
        if not self._started and (reason := nats_login.refusal(error, self._config)):
            raise self._unreachable(reason)

    async def _on_disconnect(self) -> None:
        self._up.clear()
        self._down.set()
        metrics.BUS_CONNECTED.set(0)
        if not self._closing:
            log.warning("nats disconnected")

    async def _on_reconnect(self) -> None:
        self._came_up()
        log.info("nats reconnected")

    @property
    def connected(self) -> bool:
        """Whether NATS is there now."""
        return bool(self._nats.is_connected)

    @property
    def connected_seconds(self) -> float:
        """How long (s) NATS has been there without a break; 0 while it is away."""
        if not (self.connected and self._up.is_set()):
            return 0.0
        return time.monotonic() - self._up_since

    async def wait_connected(self) -> None:
        """Return once NATS is there, and all subscriptions with it."""
        await self._up.wait()
        # The client knows that it has lost the server for a while before it says so. Whoever tries
        # again and again must not do so without a pause.
        while not self.connected:
            await asyncio.sleep(LOOK_SECONDS)
            await self._up.wait()

    async def wait_disconnected(self) -> None:
        """Return once NATS is away."""
        await self._down.wait()

    @property
    def subscriptions(self) -> int:
        """How many subscriptions the process holds."""
        return len(self._nats._subs)

    @property
    def server(self) -> "Server":
        """The server that the connection is to now."""
        url, info = self._nats.connected_url, self._nats._server_info
        address = f"{url.hostname}:{url.port}" if url else ""
        return Server(address, str(info.get("server_name", "")), str(info.get("version", "")))

    async def round_trip(self) -> float:
        """The time (s) to the server and back. Raises RequestTimeout."""
        return await self._nats.rtt(timeout=2)

    async def publish(self, subject: str, message: Message) -> None:
        """Send a message. While NATS is away it waits in a small buffer; a full one drops it."""
        try:
            await self._nats.publish(subject, encode(message))
        except nats.errors.OutboundBufferLimitError:
            metrics.MESSAGES_DROPPED.labels("overflow").inc()

    async def publish_media(self, subject: str, data: bytes) -> bool:
        """Send audio now or never: False, and nothing kept, while NATS is away."""
        if not self._nats.is_connected:
            metrics.MEDIA_DISCARDED.inc()
            return False
        try:
            await self._nats.publish(subject, data)
        except nats.errors.OutboundBufferLimitError:
            metrics.MEDIA_DISCARDED.inc()
            return False
        return True

    async def probe(self, subject: str, reply: str) -> None:
        """Have NATS answer *no responders* at `reply` if nobody listens to `subject`."""
        if self.connected:
            with contextlib.suppress(nats.errors.OutboundBufferLimitError):
                await self._nats.publish(subject, b"", reply=reply)

    def inbox(self) -> str:
        """A subject of this connection's own, for answers."""
        return str(self._nats.new_inbox())

    async def request(
        self,
        subject: str,
        message: Message,
        timeout: float,
        headers: dict[str, str] | None = None,
    ) -> AnyMessage:
        """Ask, and wait up to `timeout` s. Raises NoResponders, RequestTimeout or BadMessage."""
        task = asyncio.current_task()
        before = task.cancelling() if task else 0
        answer = await self._nats.request(
            subject, encode(message), timeout=timeout, headers=headers
        )
        # The client waits with wait_for, which in Python 3.11 can swallow a cancellation. (A task
        # group that was left with an error may leave a count behind: only a new one matters.)
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError
        return decode(answer.data)

    async def subscribe(
        self, subject: str, callback: MessageCallback, queue: str = ""
    ) -> Subscription:
        """Call `callback` for each message, one after another."""
        return await self._nats.subscribe(subject, queue=queue, cb=callback)

    def jetstream(self, timeout: float) -> JetStreamContext:
        """What NATS keeps; a request waits up to `timeout` s. Ask only while `connected`."""
        return self._nats.jetstream(timeout=timeout)

    async def flush(self) -> None:
        """Return when the server has seen all that was sent so far: subscriptions too."""
        # The client's ping overtakes what waits in its buffer, and sends the buffer on its way:
        # only a second ping is certain to come after it.
        await self._nats.flush(timeout=2)
        await self._nats.flush(timeout=2)


def decode_or_drop(data: bytes, subject: str) -> AnyMessage | None:
    """The message, or None for one that cannot be decoded, counted and logged once in a while."""
    try:
        return decode(data)
    except BadMessage as error:
        metrics.MESSAGES_DROPPED.labels("undecodable").inc()
        if _bad_messages.admits():
            log.warning("message dropped", subject=subject, reason=str(error))
        return None


def decode_item_or_drop(data: bytes, subject: str) -> AudioFrame | JobMessage | None:
    """What belongs to a job, frame or message; None for anything else, counted."""
    if is_frame(data):
        try:
            return decode_frame(data)
        except BadFrame:
            metrics.MESSAGES_DROPPED.labels("undecodable").inc()
            return None
    message = decode_or_drop(data, subject)
    return message if isinstance(message, JobMessage) else None


async def respond(msg: Msg, answer: Message) -> None:
    """Answer whoever asked: in an inbox, and on the connection on which the question came.

    NATS lets a service answer wherever it is told to: a thief could have it speak on subjects
    that are closed to them. And it forgets with the connection that it was asked.
    """
    lost = isinstance(msg, ConnectedMsg) and not msg.connected
    if msg.reply.startswith("_INBOX") and not lost:
        await msg.respond(encode(answer))


async def unsubscribe(subscription: Subscription | None) -> None:
    """End a subscription; no matter if the connection is gone already."""
    if subscription is None:
        return
    with contextlib.suppress(nats.errors.Error, OSError):
        await subscription.unsubscribe()


class _RateLimit:
    """Admits one event in `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = 0.0

    def admits(self) -> bool:
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True


_bad_messages = _RateLimit(1.0)


class _RateLimitedErrors:
    """The client's error callback: counts all, logs one a second of each kind."""

    def __init__(self) -> None:
        self.last = ""
        self._limits: dict[str, _RateLimit] = {}

    async def report(self, error: Exception) -> None:
        kind = type(error).__name__
        if nats_login.is_refused(error):
            kind = nats.errors.AuthorizationError.__name__
        self.last = str(error) or kind
        metrics.BUS_ERRORS.labels(kind).inc()
        if self._limits.setdefault(kind, _RateLimit(1.0)).admits():
            log.warning("nats error", error=kind, detail=str(error)[:200])
