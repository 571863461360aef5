"""What the contract servers on aiohttp share: listening, and misbehaving in mid-stream."""

import asyncio
import json
import socket
import struct
from abc import abstractmethod
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any

from aiohttp import web
from jsonschema import Draft202012Validator

from contract.servers.base import RETRY_AFTER, ContractServer, Fault

GOOD_PIECES = 2
"""So many pieces of a stream are sent before a fault in the middle of it."""
PACE = 0.02
"""Seconds from one piece to the next: some ten times as fast as speech."""

STATUS_OF = {
    Fault.UNAUTHORIZED: 401,
    Fault.FORBIDDEN: 403,
    Fault.BUSY: 429,
    Fault.BROKEN: 500,
}


class HttpServer(ContractServer):
    """A server on loopback; `base` is its address once it listens."""

    base = ""

    def __init__(self) -> None:
        super().__init__()
        self._runner: web.AppRunner | None = None
        self._is_stopping = False

    @abstractmethod
    def routes(self) -> list[web.RouteDef]:
        """What it answers to."""

    async def start(self) -> None:
        app = web.Application(client_max_size=2**24)
        app.add_routes(self.routes())
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.base = f"http://{host}:{port}"

    async def stop(self) -> None:
        self._is_stopping = True
        if self._runner is not None:
            await self._runner.cleanup()

    async def send_stream(
        self,
        request: web.Request,
        response: web.StreamResponse,
        pieces: AsyncIterator[bytes],
        fault: Fault | None,
        nonsense: bytes | None = None,
    ) -> web.StreamResponse:
        """Answer with `pieces`, the way that `fault` says; `nonsense` is sent in place of one.

        Without it, what is malformed is the response itself: it has a chunk without a length.
        """
        self.streams += 1
        try:
            if fault is Fault.SLOW:
                await asyncio.Event().wait()
            await response.prepare(request)
            sent = 0
            async for piece in pieces:
                if sent == GOOD_PIECES:
                    if fault is Fault.RESET:
                        reset(request)
                        return response
                    if fault is Fault.SILENT_STOP:
                        hang_up(request)
                        return response
                    if fault is Fault.MALFORMED and nonsense is None:
                        garble(request)
                        return response
                    if fault is Fault.MALFORMED and nonsense is not None:
                        piece = nonsense
                await response.write(piece)
                sent += 1
                await asyncio.sleep(PACE)
            await response.write_eof()
        except (asyncio.CancelledError, ConnectionError):
            self.cancelled += not self._is_stopping
            raise
        finally:
            self.streams -= 1
        return response


def hang_up(request: web.Request) -> None:
    """Close the connection, without the chunk that ends the response."""
    if request.transport is not None:
        request.transport.close()


def garble(request: web.Request) -> None:
    """Send what no chunk begins with."""
    if request.transport is not None:
        request.transport.write(b"no length\r\n")


def reset(request: web.Request) -> None:
    """Reset the connection, as a machine does that has died."""
    transport = request.transport
    if transport is None:
        return
    linger = struct.pack("ii", 1, 0)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()


def waiting(fault: Fault) -> dict[str, str]:
    """The headers of a refusal."""
    return {"Retry-After": str(RETRY_AFTER)} if fault is Fault.BUSY else {}


class Published:
    """The published schemas of a provider: `schemas/<name>.json`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def faults_of(self, model: str, value: Any) -> list[str]:
        """What is wrong with a message, by the model of that name."""
        errors = _validator(self._name, model).iter_errors(value)
        return [f"{model}: {error.json_path}: {error.message[:200]}" for error in errors]


@cache
def _validator(name: str, model: str) -> Draft202012Validator:
    path = Path(__file__).with_name("schemas") / f"{name}.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    return Draft202012Validator({**schema, "$ref": f"#/$defs/{model}"})
