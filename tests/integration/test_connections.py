"""Connections that are slow, or too many: over real sockets, with short times."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect

from parley import health
from parley_gateway import metrics
from parley_gateway.access import connections
from support.keeping import until

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
Serve = Callable[..., Awaitable[int]]


async def whole(request: Request) -> Response:
    await request.body()
    return PlainTextResponse("x" * int(request.query_params.get("size", "1")))


async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    connections.let_in(websocket)
    with contextlib.suppress(Exception):
        while True:
            await websocket.send_text(await websocket.receive_text())


async def flood(websocket: WebSocket) -> None:
    await websocket.accept()
    with contextlib.suppress(Exception):
        async with asyncio.timeout(0.5):
            while True:
                await websocket.send_bytes(bytes(1_000_000))


@pytest.fixture
async def serve(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Serve]:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.5)
    monkeypatch.setattr(connections, "ANSWER_SECONDS", 1.0)
    monkeypatch.setattr(connections, "CLOSING_SECONDS", 0.5)
    app = Starlette(
        routes=[
            Route("/", whole, methods=["GET", "POST"]),
            WebSocketRoute("/socket", echo),
            WebSocketRoute("/flood", flood),
        ]
    )
    async with contextlib.AsyncExitStack() as stack:

        async def start(most: int = 100) -> int:
            options = connections.protocols(most)
            served = health.serve(app, "127.0.0.1", 0, send_buffer=65_536, **options)
            return await stack.enter_async_context(served)

        async with asyncio.timeout(60):  # Its end waits for connections: none may be left.
            yield start
            await stack.aclose()


async def rest(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(20):
        try:
            return await reader.read()
        except ConnectionError:
            return b""


async def test_a_body_that_never_ends_is_cut_off(serve: Serve) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", await serve())
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
    closed = asyncio.create_task(rest(reader))
    with contextlib.suppress(ConnectionError):
        while not closed.done():
            writer.write(b"x")
            await asyncio.sleep(0.05)
    assert await closed == b""
    writer.close()


async def test_an_answer_that_nobody_takes_is_cut_off(serve: Serve) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", await serve(), limit=1)
    writer.write(b"GET /?size=50000000 HTTP/1.1\r\nHost: a\r\n\r\n")
    await gone()
    writer.transport.abort()


async def test_last_words_that_nobody_reads_are_cut_off(serve: Serve) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", await serve(), limit=1)
    writer.write(upgrade("/flood"))
    await gone()
    writer.transport.abort()


async def gone() -> None:
    """Return once there was a connection and is none any more."""
    open_now = metrics.CONNECTIONS.labels("open")
    await until(lambda: open_now._value.get() == 1)
    await until(lambda: open_now._value.get() == 0)


async def test_who_asks_again_and_again_is_served(serve: Serve) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", await serve())
    for _ in range(4):
        for part in (GET[:9], GET[9:]):
            writer.write(part)
            await asyncio.sleep(0.2)
        assert (await reader.readuntil(b"\r\n\r\nx")).startswith(b"HTTP/1.1 200")
        await asyncio.sleep(0.5)  # Idle between requests, for longer than a head may take.
    writer.write(GET * 3)
    for _ in range(3):
        await reader.readuntil(b"\r\n\r\nx")
    writer.close()


async def test_a_websocket_may_stay(serve: Serve) -> None:
    async with connect(f"ws://127.0.0.1:{await serve()}/socket", proxy=None) as socket:
        await asyncio.sleep(2)
        await socket.send("there?")
        assert await socket.recv() == "there?"


@pytest.mark.parametrize("sent", [b"", GET])
async def test_others_make_room_and_calls_do_not(serve: Serve, sent: bytes) -> None:
    port = await serve(3)
    url = f"ws://127.0.0.1:{port}/socket"
    async with connect(url, proxy=None) as one, connect(url, proxy=None) as other:
        older, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        if sent:
            await older.readuntil(b"\r\n\r\nx")
        async with connect(url, proxy=None):
            assert await rest(older) == b""
            full, _writer = await asyncio.open_connection("127.0.0.1", port)
            assert await rest(full) == b""
        for socket in (one, other):
            await socket.send("there?")
            assert await socket.recv() == "there?"


@pytest.mark.parametrize("header", ["Content-Length: 5", "Transfer-Encoding: chunked"])
async def test_a_handshake_that_is_none_leaves_nothing_behind(serve: Serve, header: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", await serve())
    writer.write(upgrade("/socket", header))
    assert (await rest(reader)).startswith(b"HTTP/1.1 400")
    writer.close()


def upgrade(path: str, *headers: str) -> bytes:
    usual = ["Host: a", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    return "\r\n".join([f"GET {path} HTTP/1.1", *usual, key, *headers, "", ""]).encode()
