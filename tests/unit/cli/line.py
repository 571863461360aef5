"""A small server that speaks the native protocol, on a free port."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from websockets.asyncio.server import ServerConnection, serve


class Line:
    """One call, from the server's side."""

    def __init__(self, socket: ServerConnection) -> None:
        self.socket = socket
        self.audio = bytearray()
        self.messages: list[dict[str, Any]] = []
        assert socket.request is not None
        self.query = {
            name: values[0]
            for name, values in parse_qs(urlsplit(socket.request.path).query).items()
        }

    async def say(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def ready(self) -> None:
        await self.say("ready", conversation_id="c", resume_token="r", agent="default")

    async def speak(self, ms: int, value: int = 8000, frame: int = 320) -> None:
        """Audio at once, in frames of 20 ms."""
        for _ in range(ms // 20):
            await self.socket.send(np.full(frame, value, "<i2").tobytes())

    async def hear(self, ms: int, bytes_per_ms: int = 32) -> None:
        """Take audio up to that long after the first sound in it."""
        heard = 0
        while heard < ms * bytes_per_ms:
            frame = await self.socket.recv()
            assert isinstance(frame, bytes)
            self.audio += frame
            heard += len(frame) if heard or any(frame) else 0

    async def listen(self, until: str) -> None:
        """Take what the caller sends up to a message of that type."""
        async for message in self.socket:
            if isinstance(message, bytes):
                self.audio += message
                continue
            self.messages.append(json.loads(message))
            if self.messages[-1]["type"] == until:
                return


Talk = Callable[[Line], Awaitable[None]]


@asynccontextmanager
async def answering(
    talk: Callable[[Line], Awaitable[None]],
) -> AsyncIterator[tuple[str, list[Line]]]:
    """A server whose calls go as `talk` says; its url and its calls."""
    lines: list[Line] = []

    async def handle(socket: ServerConnection) -> None:
        lines.append(Line(socket))
        await talk(lines[-1])

    async with serve(handle, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/conversation", lines


async def a_reply(line: Line) -> None:
    """Hears 300 ms, answers with 400 ms of sound, and hangs up when asked to."""
    await line.ready()
    await line.hear(ms=300)
    await line.say("transcription", message="hel", is_final=False, confidence=1.0, turn=1)
    await line.say("transcription", message="hello", is_final=True, confidence=1.0, turn=1)
    await line.say("reply", text="hi there", turn=1)
    await line.say("speaking", turn=1)
    await line.speak(400)
    await asyncio.sleep(0.5)
    await line.say("spoken", turn=1, text="hi there", cut_off=False)
    await line.listen("end")
    await line.say("end", reason="you hung up")
