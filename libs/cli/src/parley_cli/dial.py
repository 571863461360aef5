"""Reaching the server: addresses, the handshake, and the ways in which it can say no."""

import asyncio
import json
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidURI, WebSocketException
from websockets.uri import parse_uri

from parley_cli.connection import Connection, retry_after
from parley_cli.errors import Failure
from parley_cli.events import Event

Encoding = Literal["linear16", "mulaw"]

PASSING = (
    "unreachable", "timeout", "closed", "no_capacity", "draining", "internal_error",
    "too_many_calls",
)  # fmt: skip
"""Refusals that another server, or the same one a little later, need not repeat."""
PING_SECONDS = 5.0
SILENT_SECONDS = 10.0
"""A server that has not answered a ping for so long is gone."""
CLOSING_SECONDS = 2.0
"""How long a server may take to close when we do."""


class CallRefused(Failure):
    """The server did not take the call. `code` is the protocol's, or `unreachable`."""

    def __init__(self, code: str, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after
        """Seconds after which the server wants to be asked again."""

    @property
    def passing(self) -> bool:
        """Whether it is worth asking elsewhere, or again."""
        return self.code in PASSING


@dataclass(frozen=True)
class Options:
    """How to call."""

    agent: str = "default"
    sample_rate: int = 16_000
    encoding: Encoding = "linear16"
    token: str | None = None
    jitter_ms: float = 40.0
    """The delay of the device's playback buffer."""
    record: bool = True
    """Keep both sides' audio."""
    extra: Mapping[str, str] | None = None
    """Further query parameters."""
    reconnect: bool = True
    """Go on with the call over another connection when one is lost."""
    reconnect_seconds: float | None = None
    """How long that is tried. Default: for as long as the server says that it waits."""

    @property
    def sample_bytes(self) -> int:
        """Bytes of a sample on the wire."""
        return 1 if self.encoding == "mulaw" else 2

    def query(self, resuming: Mapping[str, str] | None = None) -> str:
        """The URL's query; `resuming` are the parameters that name a call to go on with."""
        fields: dict[str, str] = {
            "agent": self.agent,
            "sample_rate": str(self.sample_rate),
            "encoding": self.encoding,
            **({} if self.token is None else {"token": self.token}),
            **(self.extra or {}),
            **(resuming or {}),
        }
        return urlencode(fields)


def addresses(url: str | Sequence[str]) -> list[str]:
    """The addresses in `url`: one, several with commas between them, or a sequence."""
    return [one.strip() for one in url.split(",")] if isinstance(url, str) else list(url)


async def dial_any(found: Sequence[str], query: str, timeout: float) -> Connection:
    """A call at the first address that takes it. Raises the last one's CallRefused."""
    for address in found[:-1]:
        try:
            return await dial(address, lambda: query, timeout)
        except CallRefused as refusal:
            if not refusal.passing:
                raise
    return await dial(found[-1], lambda: query, timeout)


async def dial(address: str, query: Callable[[], str], timeout: float) -> Connection:
    """A connection on which the server has said `ready`, after at most `timeout` s.

    `query` is asked for once the server is there, right before it is sent. Raises CallRefused.
    """
    deadline = asyncio.get_running_loop().time() + timeout
    opened = await _open(address, query, deadline)
    try:
        async with asyncio.timeout_at(deadline):
            return Connection(opened, address, await _wait_ready(opened))
    except TimeoutError:
        opened.transport.abort()
        raise CallRefused("timeout", f"the server said nothing for {timeout:g} s") from None
    except BaseException:
        opened.transport.abort()
        raise


async def _open(address: str, query: Callable[[], str], deadline: float) -> ClientConnection:
    try:
        uri = parse_uri(address)
    except (InvalidURI, ValueError):
        raise CallRefused("bad_address", f"not a WebSocket address: {address}") from None
    try:
        async with asyncio.timeout_at(deadline):
            sock = await _tcp(uri.host, uri.port)
            # Speech does not compress, and the engine is reached without the environment's proxy.
            return await connect(
                f"{address}?{query()}",
                sock=sock,
                compression=None,
                proxy=None,
                open_timeout=None,
                ping_interval=PING_SECONDS,
                ping_timeout=SILENT_SECONDS,
                close_timeout=CLOSING_SECONDS,
            )
    except (OSError, TimeoutError):
        raise CallRefused(
            "unreachable", f"nobody answers at {address}. Start the engine with: parley up"
        ) from None
    except (WebSocketException, ValueError) as error:  # ValueError: it wants to send us elsewhere
        raise CallRefused("unreachable", f"{address} does not take calls: {error}") from None


async def _tcp(host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    failure = OSError(f"{host} has no address")
    for family, kind, protocol, _, where in await loop.getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    ):
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, where)
            return sock
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
    raise failure


async def _wait_ready(opened: ClientConnection) -> Event:
    try:
        event = Event(time.monotonic(), json.loads(await opened.recv()))
    except ConnectionClosed as closed:
        reason = closed.rcvd.reason if closed.rcvd else "the connection broke"
        raise CallRefused("closed", f"the server refused the call: {reason}") from None
    if event.type != "ready":
        raise _refusal(event.data)
    return event


def _refusal(data: Mapping[str, Any]) -> CallRefused:
    message = f"the server refused the call: {data.get('message', data)}"
    return CallRefused(str(data.get("code", "unknown")), message, retry_after(data))
