"""A small server that speaks the native protocol, on a free port."""

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

    async def ready(self, **fields: Any) -> None:
        known = {"conversation_id": "c", "resume_token": "r", "agent": "default"}
        await self.say("ready", **{**known, "resumed": False, "audio_from_ms": 0.0, **fields})

    async def resume(self, audio_from_ms: float | None = None) -> None:
        """Say `ready` to who comes back; by default it has to send all that it offers."""
        offered = float(self.query["audio_ms"])
        start = offered if audio_from_ms is None else audio_from_ms
        await self.ready(resume_token="r2", resumed=True, audio_from_ms=start)

    async def refuse(self, code: str, close_code: int, **fields: Any) -> None:
        await self.say("error", code=code, message=f"refused: {code}", fatal=True, **fields)
        await self.socket.close(close_code, code)

    def drop(self) -> None:
        """Abort the connection, as a server does that is killed."""
        self.socket.transport.abort()

    async def speak(self, ms: int, value: int = 8000, frame: int = 320) -> None:
        """Audio at once, in frames of 20 ms."""
        await self.play(np.full(ms // 20 * frame, value, "<i2"), frame)

    async def play(self, samples: np.ndarray, frame: int = 320) -> None:
        """These samples at once, in frames of 20 ms."""
        for start in range(0, len(samples), frame):
            await self.socket.send(samples[start : start + frame].astype("<i2").tobytes())

    async def hear(self, ms: int, bytes_per_ms: int = 32) -> None:
        """Take audio up to that long after the first sound in it."""
        heard = 0
        while heard < ms * bytes_per_ms:
            frame = await self.socket.recv()
            assert isinstance(frame, bytes)
            self.audio += frame
            heard += len(frame) if heard or any(frame) else 0

    async def listen(self, until: str, ms: float = 0.0) -> None:
        """Take what the caller sends up to a message of that type; `playback` of at least `ms`."""
        async for message in self.socket:
            if isinstance(message, bytes):
                self.audio += message
                continue
            self.messages.append(json.loads(message))
            if self.messages[-1]["type"] == until and self.messages[-1].get("ms", ms) >= ms:
                return


Talk = Callable[[Line], Awaitable[None]]


@asynccontextmanager
async def answering(talk: Talk, port: int = 0) -> AsyncIterator[tuple[str, list[Line]]]:
    """A server whose connections go as `talk` says; its url and its connections."""
    lines: list[Line] = []

    async def handle(socket: ServerConnection) -> None:
        lines.append(Line(socket))
        await talk(lines[-1])

    async with serve(handle, "127.0.0.1", port) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/conversation", lines


def in_turn(*talks: Talk) -> Talk:
    """The first connection goes as the first one says, and so on."""
    left = iter(talks)

    async def talk(line: Line) -> None:
        await next(left)(line)

    return talk


async def silent(line: Line) -> None:
    """Says nothing until the caller hangs up."""
    await line.ready()
    await line.listen("end")


async def dies(line: Line) -> None:
    """Breaks the connection at once."""
    await line.ready()
    line.drop()


async def goes_on(line: Line) -> None:
    """Takes up a call, and says nothing."""
    await line.resume()
    await line.listen("end")


async def a_reply(line: Line) -> None:
    """Hears 300 ms, answers with 400 ms of sound, and hangs up when asked to."""
    await line.ready()
    await line.hear(ms=300)
    await line.say("transcription", message="hel", is_final=False, confidence=1.0, turn=1)
    await line.say("transcription", message="hello", is_final=True, confidence=1.0, turn=1)
    await line.say("reply", text="hi there", turn=1)
    await line.say("speaking", turn=1)
    await line.speak(400)
    await line.listen("playback", ms=400)
    await line.say("spoken", turn=1, text="hi there", cut_off=False)
    await line.listen("end")
    await line.say("end", reason="you hung up")
