"""What a connection costs before it is a call: its time and number are bounded.

uvicorn waits for ever for a request that never ends, and for a client that never takes its
answer. Here either has so long, and when there are too many connections, the oldest of those that
are no calls makes room.
"""

import asyncio
from functools import partial
from typing import Any

import h11
from starlette.websockets import WebSocket
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from parley_gateway import metrics

HEAD_SECONDS = 10.0
"""How long a client may take to send a request's head."""
ANSWER_SECONDS = 60.0
"""How long it may then take to send the rest, and to take the answer."""
CLOSING_SECONDS = 3.0
"""How long a WebSocket that the server closes waits for the client, to read and to close."""
UNREAD_BYTES = 256 * 1024
"""So much may wait for a client that goes on sending: pings are answered, read or not."""
NOT_UNDERSTOOD = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Crowd:
    """The connections of one server: `most` at once. Those that wait are no calls, or not yet."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: set[asyncio.BaseProtocol] = set()
        self._waiting: dict[asyncio.BaseProtocol, asyncio.BaseTransport] = {}

    def enter(self, one: asyncio.BaseProtocol, transport: asyncio.BaseTransport) -> bool:
        """A connection is made. False, and it is closed, where there is no room for it."""
        room = len(self._open) < self._most
        if not room and self._waiting:
            oldest, its_transport = next(iter(self._waiting.items()))
            self.leave(oldest)
            _abort(its_transport, "silent")
            room = True
        if not room:
            _abort(transport, "full")
            return False
        self._open.add(one)
        self._waiting[one] = transport
        self._tell()
        return True

    def become(self, before: asyncio.BaseProtocol, after: asyncio.BaseProtocol) -> None:
        """It speaks another protocol from now on."""
        if (transport := self._waiting.get(before)) is not None:
            self._open.add(after)
            self._waiting[after] = transport
        self.leave(before)

    def let_in(self, one: asyncio.BaseProtocol) -> None:
        """It is a call now, and keeps its place."""
        self._waiting.pop(one, None)
        self._tell()

    def leave(self, one: asyncio.BaseProtocol) -> None:
        """It is closed."""
        self._open.discard(one)
        self._waiting.pop(one, None)
        self._tell()

    def _tell(self) -> None:
        metrics.CONNECTIONS.labels("open").set(len(self._open))
        metrics.CONNECTIONS.labels("waiting").set(len(self._waiting))


class _Http(H11Protocol):
    """HTTP, until it is a WebSocket."""

    crowd: Crowd
    _timer: asyncio.TimerHandle | None = None
    _given: tuple[str, object] = "", None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.crowd.enter(self, transport):
            self._give(HEAD_SECONDS, "slow_request")

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        self.crowd.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        answered = self.cycle
        super().on_response_complete()
        if self._answering:  # The next request was here already.
            self._watch()
        elif self.transport.get_write_buffer_size():
            self._give(ANSWER_SECONDS, "slow_answer", answered)
        else:
            self._stop()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._stop()
        super().handle_websocket_upgrade(event)
        self.crowd.become(self, self.transport.get_protocol())

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _watch(self) -> None:
        """Set the timer that fits what is waited for, unless it runs."""
        if self.transport.get_protocol() is not self:
            self._stop()
        elif self._answering:
            self._give(ANSWER_SECONDS, "slow_answer", self.cycle)
        elif self.timeout_keep_alive_task is None and not self.transport.is_closing():
            self._give(HEAD_SECONDS, "slow_request")

    def _give(self, seconds: float, reason: str, cycle: object = None) -> None:
        if self._timer is not None and self._given == (reason, cycle):
            return
        self._stop()
        self._given = reason, cycle
        self._timer = self.loop.call_later(seconds, self._expire, reason)

    def _expire(self, reason: str) -> None:
        self._timer = None
        if reason == "slow_request" or self._answering or self.transport.get_write_buffer_size():
            _abort(self.transport, reason)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _WebSocket(WebSocketsSansIOProtocol):
    """A call, or one that is refused."""

    crowd: Crowd
    _timer: asyncio.TimerHandle | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.close_timeout = CLOSING_SECONDS

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope["state"]["let_in"] = partial(self.crowd.let_in, self)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.get_write_buffer_size() > UNREAD_BYTES:
            _abort(self.transport, "slow_answer")
        if not self.handshake_initiated:
            # The whole handshake is here, and the WebSocket layer wants none of it: too many or
            # too long headers, or a body. It would wait for ever.
            metrics.CONNECTIONS_REFUSED.labels("bad_handshake").inc()
            self.transport.write(NOT_UNDERSTOOD)
            self.transport.close()

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        super().on_task_complete(task)
        # What still waits to be sent would keep a closing connection open for ever.
        if not self.disconnected:
            self._timer = self.loop.call_later(CLOSING_SECONDS, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.crowd.leave(self)
        super().connection_lost(exc)


def let_in(websocket: WebSocket) -> None:
    """It is a call now: however many connections there are, it keeps its place."""
    if (keep := getattr(websocket.state, "let_in", None)) is not None:
        keep()


def protocols(most: int) -> dict[str, type[asyncio.Protocol]]:
    """uvicorn's options `http` and `ws` for a server of so many connections."""
    fields = {"crowd": Crowd(most)}
    return {"http": type("Http", (_Http,), fields), "ws": type("WebSocket", (_WebSocket,), fields)}


def _abort(transport: asyncio.BaseTransport, reason: str) -> None:
    metrics.CONNECTIONS_REFUSED.labels(reason).inc()
    abort = getattr(transport, "abort", transport.close)
    abort()
