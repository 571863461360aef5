"""The page in a real browser, against a server of the test's own."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from playwright.async_api import Page, expect
from starlette.applications import Starlette
from starlette.responses import FileResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

import parley_gateway
from parley import health
from parley.audio import from_float
from support.browser import chromium

RATE = 24_000
STATIC = Path(parley_gateway.__file__).parent / "static"
T = TypeVar("T")

PROBE = """
(() => {
  window.__levels = [];  // [ms, rms] of what goes to the loudspeaker
  window.__events = [];  // [ms, message] of what the server says
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (target, ...rest) {
    if (target instanceof AudioDestinationNode) {
      const tap = this.context.createAnalyser();
      tap.fftSize = 512;
      connect.call(this, tap);
      const block = new Float32Array(tap.fftSize);
      setInterval(() => {
        tap.getFloatTimeDomainData(block);
        const rms = Math.sqrt(block.reduce((sum, x) => sum + x * x, 0) / block.length);
        if (rms > 0.02) window.__levels.push([performance.now(), rms]);
      }, 5);
    }
    return connect.call(this, target, ...rest);
  };
  window.WebSocket = class extends WebSocket {
    constructor(url) {
      super(url);
      this.addEventListener("message", ({data}) => {
        if (typeof data === "string") window.__events.push([performance.now(), JSON.parse(data)]);
      });
    }
  };
})();
"""


class Server:
    """Says what a gateway would say, as the test wants it, and keeps what the page sent."""

    def __init__(self) -> None:
        self.heard: list[bytearray] = []
        """What the page has sent, by connection."""
        self.refusing = False
        """Whether connections are turned away, as nobody's would be."""
        self.frame_sizes: set[int] = set()
        self.messages: list[dict[str, Any]] = []
        self.query: dict[str, str] = {}
        """The newest connection's."""
        self.refused = 0
        self.closes: list[int] = []
        """With what codes connections were closed."""
        self.url = ""
        self._connected: asyncio.Queue[WebSocket] = asyncio.Queue()
        self._socket: WebSocket

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Server"]:
        async def index(_: Any) -> FileResponse:
            return FileResponse(STATIC / "index.html")

        app = Starlette(
            routes=[
                Route("/", index),
                Mount("/static", StaticFiles(directory=STATIC)),
                WebSocketRoute("/conversation", self._call),
            ]
        )
        async with health.serve(app, "127.0.0.1", 0, ws="websockets-sansio") as port:
            self.url = f"http://127.0.0.1:{port}/"
            yield self

    async def _call(self, socket: WebSocket) -> None:
        if self.refusing:
            self.refused += 1
            await socket.close()
            return
        await socket.accept()
        self.query = dict(socket.query_params)
        audio = bytearray()
        self.heard.append(audio)
        await self._connected.put(socket)
        try:
            while True:
                message = await socket.receive()
                if message["type"] == "websocket.disconnect":
                    self.closes.append(message["code"])
                    return
                if data := message.get("bytes"):
                    audio += data
                    self.frame_sizes.add(len(data))
                else:
                    self.messages.append(json.loads(message["text"]))
        except (WebSocketDisconnect, RuntimeError):
            return

    @property
    def audio(self) -> bytearray:
        """What the page has sent over the newest connection."""
        return self.heard[-1]

    async def answer(self, **fields: Any) -> None:
        """Take the page's call."""
        await self.connected()
        known = {"conversation_id": "c", "agent": "default", "sample_rate": RATE}
        await self.say("ready", **known, **fields)

    async def connected(self) -> None:
        """The page has made a connection."""
        async with asyncio.timeout(15):
            self._socket = await self._connected.get()

    async def resume(self, audio_from_ms: float = 0.0) -> None:
        """Go on with the page's call over a new connection."""
        await self.answer(resumed=True, resume_token="r2", audio_from_ms=audio_from_ms)

    async def say(self, kind: str, **fields: Any) -> None:
        await self._socket.send_text(json.dumps({"type": kind, **fields}))

    async def play(self, pcm: bytes) -> None:
        """Paced as a gateway does it: frames of 20 ms, 160 ms ahead."""
        size = RATE // 50 * 2
        began = time.monotonic()
        for i in range(0, len(pcm), size):
            await asyncio.sleep(max(began + i / (RATE * 2) - 0.16 - time.monotonic(), 0))
            await self._socket.send_bytes(pcm[i : i + size])

    async def close(self, code: int = 1011, reason: str = "") -> None:
        await self._socket.close(code, reason)

    async def received(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The first message of that kind and those fields."""

        def find() -> dict[str, Any] | None:
            wanted = {"type": kind, **fields}
            return next((one for one in self.messages if wanted.items() <= one.items()), None)

        return await until(find)

    def reports(self, turn: int) -> list[float]:
        """What the page reported as played of a turn."""
        return [
            one["ms"] for one in self.messages if one["type"] == "playback" and one["turn"] == turn
        ]


async def until(find: Callable[[], T | None], seconds: float = 15) -> T:
    """What `find` finds, once it does."""
    async with asyncio.timeout(seconds):
        while not (found := find()):
            await asyncio.sleep(0.02)
    return found


@asynccontextmanager
async def pages(server: Server) -> AsyncIterator["Open"]:
    """Opens the page in a browser whose microphone is a WAV file, or beeps, or is refused."""
    async with AsyncExitStack() as browsers:

        async def opener(wav: Path | None = None, refused: bool = False, query: str = "") -> Page:
            browser = await browsers.enter_async_context(chromium(wav, refused))
            page = await browser.new_page()
            await page.add_init_script(PROBE)
            await page.goto(f"{server.url}?{query}")
            return page

        yield opener


Open = Callable[..., Awaitable[Page]]


async def calling(server: Server, page: Page, **ready: Any) -> None:
    """Press the button; the server takes the call."""
    await page.click("#talk")
    await server.answer(**ready)
    await expect(page.locator("#state")).to_have_text("Listening")


def tone(seconds: float) -> bytes:
    """A hum as PCM16."""
    return from_float(0.5 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * RATE)) / RATE))
