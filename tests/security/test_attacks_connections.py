"""What is too much of a connection: messages, headers, slowness, connections that are no calls."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from parley_gateway.access.connections import HEAD_SECONDS
from support.attacked import KEYS, LINES, Attacked, close_of
from support.keeping import until

PATIENCE_SECONDS = HEAD_SECONDS + 20
"""By when a connection that does nothing must surely be cut off."""


OVERSIZE: dict[str, tuple[str | bytes, int, tuple[int, str]]] = {
    "64 KiB and a byte of audio": (b"\0" * 65_537, 1, (4413, "frame_too_large")),
    "64 KiB and a letter": ("x" * 65_537, 1, (4413, "frame_too_large")),
    "1 MiB and a byte": (b"\0" * (1024 * 1024 + 1), 1, (1009, "")),
    "20 MiB": (b"\0" * (20 * 1024 * 1024), 1, (1009, "")),
    "audio of a minute at once": (b"\0" * 60_000, 30, (4429, "audio_too_fast")),
    "30 typed turns at once": ('{"type": "text", "text": "?"}', 30, (4429, "too_many_messages")),
}
"""A message, how often it is sent, and how the call ends."""


@pytest.mark.parametrize("attack", OVERSIZE)
async def test_an_oversize_message_ends_the_call(target: Attacked, attack: str) -> None:
    message, times, expected = OVERSIZE[attack]
    url = f"ws://127.0.0.1:{target.gateways[0].port}/conversation?token={KEYS['shop']}"
    async with connect(url, proxy=None, compression=None) as call:
        assert '"ready"' in str(await call.recv())
        with contextlib.suppress(ConnectionClosed):
            for _ in range(times):
                await call.send(message)
        code, reason = await close_of(call)
    assert code in (expected[0], None)  # None: cut off while it was still sending.
    assert code is None or expected[1] in ("", reason)
    await until(lambda: target.gateways[0].metric("parley_conversations_active") == 0)


def upgrade(target: Attacked, *headers: str, path: str = "/conversation") -> bytes:
    usual = [
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{target.gateways[0].port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    return ("\r\n".join([*usual, *headers]) + "\r\n\r\n").encode("latin-1")


HANDSHAKES: dict[str, Callable[[Attacked], bytes]] = {
    "a header of 20 kB": lambda target: upgrade(target, "X-Much: " + "x" * 20_000),
    "a header of 1 MB": lambda target: upgrade(target, "X-Much: " + "x" * 1_000_000),
    "1000 headers": lambda target: upgrade(target, *[f"X-{one}: 1" for one in range(1000)]),
    "129 headers": lambda target: upgrade(target, *[f"X-{one}: 1" for one in range(125)]),
    "an address of 20 kB": lambda target: upgrade(target, path="/conversation?a=" + "x" * 20_000),
    "an address of 1 MB": lambda target: upgrade(target, path="/" + "x" * 1_000_000),
    "with a body": lambda target: upgrade(target, "Content-Length: 5"),
    "in pieces": lambda target: upgrade(target, "Transfer-Encoding: chunked"),
    "without a key": lambda target: upgrade(target).replace(b"Sec-WebSocket-Key", b"X-Key"),
    "another version": lambda target: upgrade(target).replace(b"Version: 13", b"Version: 8"),
    "no HTTP": lambda target: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 100 + b"\r\n\r\n",
    "two lengths": lambda target: (
        b"POST /tokens HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef"
    ),
    "a length and pieces": lambda target: (
        b"POST /tokens HTTP/1.1\r\nHost: a\r\n"
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
}


@pytest.mark.parametrize("attack", HANDSHAKES)
async def test_a_strange_handshake_is_answered_and_closed(target: Attacked, attack: str) -> None:
    gateway = target.gateways[0]
    before = gateway.metric('parley_connections{state="open"}')
    answer = await exchange(target, HANDSHAKES[attack](target))
    assert b" 101 " not in answer[:20]
    assert answer[:12] in (b"", b"HTTP/1.1 400", b"HTTP/1.1 401", b"HTTP/1.1 426")
    # Nothing is left of it: it would hold up the gateway's end as well.
    await until(lambda: gateway.metric('parley_connections{state="open"}') <= before)
    assert "Traceback" not in gateway.log.read_text()


async def exchange(target: Attacked, sent: bytes, pause: float = 0.0, size: int = 0) -> bytes:
    """All that comes back until the gateway closes; `size` bytes at a time, with pauses."""
    reader, writer = await asyncio.open_connection("127.0.0.1", target.gateways[0].port)
    pieces = [sent[at : at + size] for at in range(0, len(sent), size)] if size else [sent]

    async def send() -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    sending = asyncio.create_task(send())
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        writer.transport.abort()


SLOW: dict[str, tuple[Callable[[Attacked], bytes], int]] = {
    "nothing at all": (lambda target: b"", 1),
    "half a request line": (lambda target: b"GET /conv", 9),
    "a handshake, byte by byte": (upgrade, 1),
    "headers without an end": (lambda target: upgrade(target)[:-2] + b"X-A: b\r\n" * 1000, 8),
    "a request's body, byte by byte": (
        lambda target: (
            b"POST /tokens HTTP/1.1\r\nHost: a\r\nContent-Length: 4000\r\n\r\n" + b" " * 4000
        ),
        67,
    ),
}
"""What is sent, and how many bytes of it each half second."""
BODY = "a request's body, byte by byte"


async def test_slow_loris(target: Attacked) -> None:
    """Each kind at once, eight times; meanwhile calls go through."""
    name_of_metric = 'parley_connections_refused_total{reason="slow_request"}'
    before = target.gateways[0].metric(name_of_metric)
    began = time.monotonic()
    running = {
        name: [asyncio.create_task(exchange(target, make(target), 0.5, size)) for _ in range(8)]
        for name, (make, size) in SLOW.items()
    }
    await asyncio.sleep(HEAD_SECONDS / 2)
    assert (await target.call(KEYS["shop"])).got_through
    for name, tasks in running.items():
        answers = await asyncio.gather(*tasks)  # Raises TimeoutError if one is never cut off.
        expected = b"HTTP/1.1 401" if name == BODY else b""  # Without a key it is not even read.
        assert [one[:12] for one in answers] == [expected] * 8, name
    assert HEAD_SECONDS - 1 < time.monotonic() - began < PATIENCE_SECONDS
    assert target.gateways[0].metric(name_of_metric) - before >= 8 * (len(SLOW) - 1)


async def test_slow_second_request(target: Attacked) -> None:
    """A connection that has asked once may not dawdle then."""
    reader, writer = await asyncio.open_connection("127.0.0.1", target.gateways[0].port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
    await reader.readuntil(b'{"status":"ok"}')
    began = time.monotonic()
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(PATIENCE_SECONDS):
            for letter in b"GET /healthz HTTP/1.1\r\nHost: " + b"a" * 1000:
                writer.write(bytes([letter]))
                await writer.drain()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.25):
                        if await reader.read(1) == b"":
                            break
    assert time.monotonic() - began < HEAD_SECONDS + 10
    writer.transport.abort()


async def test_connections_that_say_nothing_make_room_for_those_that_do(target: Attacked) -> None:
    most = 2 * LINES + 200
    silent = [
        await asyncio.open_connection("127.0.0.1", target.gateways[0].port)
        for _ in range(most + 100)
    ]
    try:
        assert (await target.call(KEYS["shop"])).got_through
        gateway = target.gateways[0]
        assert gateway.metric('parley_connections_refused_total{reason="silent"}') >= 100
        assert gateway.metric('parley_connections{state="open"}') <= most
    finally:
        for _, writer in silent:
            writer.transport.abort()


ASKING: dict[str, Callable[[Attacked], bytes]] = {
    "ask again and again": lambda target: b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    "were refused, and stay": upgrade,
}


@pytest.mark.parametrize("attack", ASKING)
async def test_connections_that_are_no_calls_make_room(target: Attacked, attack: str) -> None:
    async def ask() -> None:
        with contextlib.suppress(ConnectionError):
            reader, writer = await asyncio.open_connection("127.0.0.1", target.gateways[0].port)
            try:
                while True:
                    writer.write(ASKING[attack](target))
                    if await reader.read(1000) == b"":
                        break
                    await asyncio.sleep(1)
            finally:
                writer.transport.abort()

    url = f"ws://127.0.0.1:{target.gateways[0].port}/conversation?token={KEYS['shop']}"
    async with connect(url, proxy=None) as call, asyncio.TaskGroup() as tasks:
        asking = [tasks.create_task(ask()) for _ in range(2 * LINES + 250)]
        await asyncio.sleep(1)
        for _ in range(5):
            assert (await target.call(KEYS["shop"])).got_through
        for task in asking:
            task.cancel()
        await call.send('{"type": "ping"}')  # It is a call, and was not cut off.
        assert [json.loads(await call.recv())["type"] for _ in range(2)] == ["ready", "pong"]


async def test_pings_whose_answers_are_not_read_cost_no_memory(target: Attacked) -> None:
    name = 'parley_connections_refused_total{reason="slow_answer"}'
    before = target.gateways[0].metric(name)
    _, writer = await asyncio.open_connection("127.0.0.1", target.gateways[0].port, limit=1)
    writer.write(upgrade(target, path=f"/conversation?token={KEYS['shop']}"))
    ping = b"\x89\xfd" + bytes(4) + b"x" * 125
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(60):
            while True:
                writer.write(ping * 100)
                await writer.drain()
                await asyncio.sleep(0)
    writer.transport.abort()
    await until(lambda: target.gateways[0].metric(name) > before)


async def test_a_refused_client_that_stays_is_cut_off(target: Attacked) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", target.gateways[0].port)
    writer.write(upgrade(target))
    async with asyncio.timeout(PATIENCE_SECONDS):  # It never answers the close.
        assert b"unauthorized" in await reader.read()
    writer.transport.abort()
