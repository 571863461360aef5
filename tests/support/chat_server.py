"""A chat completions server that answers as it is told, and the job that a reply is written for."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from parley.messages import JobRequest
from parley.subjects import Stage

DONE = "[DONE]"
HANG = "hang"
"""Instead of an event: nothing more comes."""
PING = "ping"
"""Instead of an event: comments come, and nothing else."""
RESET = "reset"
"""Instead of an event: the connection is reset."""
CUT = "cut"
"""Instead of an event: the connection is closed in the middle of the body."""


def chunk(text: str | None = None, finish: str | None = None) -> str:
    """An event with a piece of the reply."""
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}
    return json.dumps(
        {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        | {"choices": [choice]}
    )


@dataclass(frozen=True)
class Answer:
    """What the server sends: an error with this status, or these events.

    An event is what stands after `data:`; one of more lines is sent as it is.
    """

    status: int = 200
    events: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    error: dict[str, Any] = field(default_factory=dict)
    silent: bool = False
    """Not even the status comes."""


class ChatServer:
    """Gives each request the next answer, and the last answer to all that follow."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[dict[str, Any]] = []
        self.left = asyncio.Event()
        """A client has closed its connection while the server hung."""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """The server's base URL, while it runs."""
        listener = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        async with listener:
            yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
        self.requests.append(json.loads(await reader.readexactly(length)))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer.silent:
            await self._wait_for_the_end(reader)
        elif answer.status == 200:
            await self._stream(answer, reader, writer)
        else:
            error = {"message": f"not with {head}", "code": "x", **answer.error}
            body = json.dumps({"error": error}).encode()
            writer.write(_head(answer, "application/json", f"Content-Length: {len(body)}") + body)
        writer.close()

    async def _stream(
        self, answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(_head(answer, "text/event-stream", "Transfer-Encoding: chunked"))
        for event in answer.events:
            await writer.drain()
            match event:
                case "hang":
                    return await self._wait_for_the_end(reader)
                case "ping":
                    return await self._ping(reader, writer)
                case "reset":
                    linger = struct.pack("ii", 1, 0)
                    sock = writer.get_extra_info("socket")
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    return None
                case "cut":
                    return None
            _write_chunk(writer, event if "\n" in event else f"data: {event}\n\n")
        writer.write(b"0\r\n\r\n")
        return None

    async def _ping(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        waiting = asyncio.create_task(self._wait_for_the_end(reader))
        while not waiting.done():
            _write_chunk(writer, ": still there\n\n")
            await asyncio.sleep(0.01)

    async def _wait_for_the_end(self, reader: asyncio.StreamReader) -> None:
        with suppress(ConnectionError):
            await reader.read()
        self.left.set()


def _head(answer: Answer, kind: str, framing: str) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} X", f"Content-Type: {kind}", framing, "Connection: close"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def _write_chunk(writer: asyncio.StreamWriter, text: str) -> None:
    data = text.encode()
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


class Listener:
    """A job as the agent sees it."""

    request = JobRequest(stage=Stage.AGENT, conversation_id="c", turn=1, attempt=1, spec={})

    def __init__(self) -> None:
        self.sent: list[str] = []

    @property
    def text(self) -> str:
        """All that was sent."""
        return "".join(self.sent)

    async def send(self, kind: type, *, text: str) -> None:
        """Take in a piece of the reply."""
        self.sent.append(text)
