"""What the contract servers of language models have in common: a request, a stream of events."""

import asyncio
import json
import socket
import struct
from abc import abstractmethod
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any, Protocol

import jsonschema
from aiohttp import web

from contract.servers import brain
from contract.servers.base import RETRY_AFTER, ContractServer, Fault
from parley.messages import ChatMessage, ToolCall
from parley.providers import Usage

GOOD_PIECES = 2
"""So much of a reply comes before the stream goes wrong."""
_REFUSALS = {
    Fault.UNAUTHORIZED: 401,
    Fault.FORBIDDEN: 403,
    Fault.BUSY: 429,
    Fault.BROKEN: 500,
}


class Writer(Protocol):
    """Writes one reply as the provider's events."""

    def opening(self) -> str:
        """What comes before the first word."""

    def text(self, piece: str) -> str:
        """A piece of the text."""

    def calls(self, calls: list[ToolCall]) -> str:
        """All tool calls of the reply."""

    def ending(self, *, too_long: bool, used: Usage) -> str:
        """What ends the reply, with its finish reason."""


class Schemas:
    """A provider's published schemas, trimmed."""

    def __init__(self, provider: str) -> None:
        path = Path(__file__).with_name("schemas") / f"{provider}.json"
        self._document = json.loads(path.read_text(encoding="utf-8"))

    def wrong(self, name: str, value: Any) -> str | None:
        """What is wrong with a message, by the definition of that name."""
        schema = {**self._document, "$ref": f"#/$defs/{name}"}
        error = jsonschema.exceptions.best_match(
            jsonschema.Draft202012Validator(schema).iter_errors(value)
        )
        return error and f"{name}{error.json_path[1:]}: {error.message}"


class ModelServer(ContractServer):
    """A language model's API over HTTP and server-sent events."""

    path = ""
    malformed = "data: {not json\n\n"

    def __init__(self, schemas: Schemas) -> None:
        super().__init__()
        self.asked: list[dict[str, Any]] = []
        """The bodies of the requests."""
        self.headers: list[Mapping[str, str]] = []
        """And their headers."""
        self._schemas = schemas
        self._runner: web.AppRunner | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """Where the server is."""
        return f"http://127.0.0.1:{self._port}"

    @abstractmethod
    def key_of(self, request: web.Request) -> str:
        """The key that came with the request."""

    @abstractmethod
    def check(self, request: web.Request, body: dict[str, Any]) -> list[str]:
        """What the protocol does not allow, beyond the schema."""

    @abstractmethod
    def history(self, body: dict[str, Any]) -> list[ChatMessage]:
        """The conversation, as the request tells it."""

    @abstractmethod
    def offered(self, body: dict[str, Any]) -> list[str]:
        """The names of the tools."""

    @abstractmethod
    def longest(self, body: dict[str, Any]) -> int:
        """So many tokens may be written."""

    @abstractmethod
    def writer(self, body: dict[str, Any]) -> Writer:
        """What writes the reply to this request."""

    @abstractmethod
    def error(self, status: int) -> dict[str, Any]:
        """The body of a refusal."""

    async def start(self) -> None:
        await brain.warm_up()
        app = web.Application()
        app.router.add_post(self.path, self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def valid(self, name: str, message: dict[str, Any]) -> str:
        """A message of the server's own as JSON. Raises AssertionError for a bad one."""
        if wrong := self._schemas.wrong(name, message):
            self.violations.append(f"the server: {wrong}")
            raise AssertionError(wrong)
        return json.dumps(message)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        fault = self.next_fault()
        if self.key_of(request) != self.key:
            return self._refuse(401)
        if fault in _REFUSALS:
            return self._refuse(_REFUSALS[fault])
        body = await request.json()
        self.asked.append(body)
        self.headers.append(request.headers)
        wrong = self._schemas.wrong("Request", body)
        violations = [wrong] if wrong else self.check(request, body)
        if violations:
            self.violations += violations
            return self._refuse(400)
        self.streams += 1
        try:
            return await self._stream(request, body, fault)
        except (asyncio.CancelledError, ConnectionError):
            self.cancelled += 1
            raise
        finally:
            self.streams -= 1

    def _refuse(self, status: int) -> web.Response:
        headers = {"Retry-After": str(RETRY_AFTER)} if status == 429 else {}
        text = self.valid("Error", self.error(status))
        return web.Response(
            status=status, headers=headers, text=text, content_type="application/json"
        )

    async def _stream(
        self, request: web.Request, body: dict[str, Any], fault: Fault | None
    ) -> web.StreamResponse:
        if fault is Fault.SLOW:
            await asyncio.Event().wait()
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        writer = self.writer(body)
        await response.write(writer.opening().encode())
        written, too_long = 0, False
        async with aclosing(self._pieces(body)) as pieces:
            async for piece in pieces:
                text = writer.text(piece) if isinstance(piece, str) else writer.calls(piece)
                await response.write(text.encode())
                written += 1
                if fault is not None and written == GOOD_PIECES:
                    break
                if too_long := written >= self.longest(body):
                    break
        if fault is Fault.SILENT_STOP:
            return response
        if fault is Fault.RESET:
            _reset(request)
            return response
        if fault is Fault.MALFORMED:
            await response.write(self.malformed.encode())
        used = Usage(sum(len(m.content.split()) for m in self.history(body)), written)
        await response.write(writer.ending(too_long=too_long, used=used).encode())
        return response

    async def _pieces(self, body: dict[str, Any]) -> AsyncGenerator[str | list[ToolCall], None]:
        history = self.history(body)
        last = history[-1]
        calls = brain.tool_calls(last.content, self.offered(body)) if last.role == "user" else []
        if calls:
            yield "One moment. "
            yield calls
            return
        async with aclosing(brain.reply(history)) as pieces:
            async for piece in pieces:
                yield piece


def _reset(request: web.Request) -> None:
    assert request.transport is not None
    sock = request.transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()


def halves(text: str) -> tuple[str, str]:
    """The text in two pieces, as it may be streamed."""
    middle = len(text) // 2
    return text[:middle], text[middle:]
