"""Reaching the server: the address, the handshake, and the ways in which it can say no."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from parley_cli.errors import Failure

Encoding = Literal["linear16", "mulaw"]


class CallRefused(Failure):
    """The server did not take the call. `code` is the protocol's, or `unreachable`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Event:
    """A message from the server and the moment (s) it arrived."""

    at: float
    data: Mapping[str, Any]

    @property
    def type(self) -> str:
        """What kind of message it is."""
        return str(self.data.get("type", ""))


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

    def query(self) -> str:
        """The URL's query."""
        fields: dict[str, str] = {
            "agent": self.agent,
            "sample_rate": str(self.sample_rate),
            "encoding": self.encoding,
            **({} if self.token is None else {"token": self.token}),
            **(self.extra or {}),
        }
        return urlencode(fields)


async def open_socket(url: str, timeout: float) -> ClientConnection:
    """A connection to `url`. Raises CallRefused."""
    where = url.partition("?")[0]
    try:
        # Speech does not compress, and the engine is reached without the environment's proxy.
        return await connect(url, compression=None, proxy=None, open_timeout=timeout)
    except InvalidURI:
        raise CallRefused("unreachable", f"not a WebSocket address: {where}") from None
    except InvalidHandshake as error:
        raise CallRefused("unreachable", f"{where} does not take calls: {error}") from None
    except (OSError, TimeoutError):
        raise CallRefused(
            "unreachable", f"nobody answers at {where}. Start the engine with: parley up"
        ) from None


async def wait_ready(socket: ClientConnection, timeout: float) -> Event:
    """The server's `ready`, its first message. Raises CallRefused."""
    try:
        async with asyncio.timeout(timeout):
            event = Event(time.monotonic(), json.loads(await socket.recv()))
    except ConnectionClosed as closed:
        reason = closed.rcvd.reason if closed.rcvd else "the connection broke"
        raise CallRefused("closed", f"the server refused the call: {reason}") from None
    except TimeoutError:
        raise CallRefused("timeout", f"the server said nothing for {timeout:g} s") from None
    if event.type == "ready":
        return event
    code, message = event.data.get("code", "unknown"), event.data.get("message", event.data)
    raise CallRefused(str(code), f"the server refused the call: {message}")
