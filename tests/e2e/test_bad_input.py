"""What clients do wrong gets the documented answer, and nothing is left over."""

import asyncio
import contextlib
import json
import random
import socket
import time
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed

from parley_cli.call import Options, connect
from support.engine import Engine

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

Message = str | bytes


async def opened(engine: Engine, agent: str = "short") -> ClientConnection:
    call = await open_socket(f"{engine.url}?agent={agent}", compression=None, proxy=None)
    assert json.loads(await call.recv())["type"] == "ready"
    return call


async def answer(call: ClientConnection, *messages: Message) -> dict[str, Any]:
    """The first error, after these messages; and the call goes on or ends as it says."""
    for message in messages:
        await call.send(message)
    async with asyncio.timeout(20):
        while True:
            got = await call.recv()
            if isinstance(got, str) and (event := json.loads(got))["type"] == "error":
                return dict(event)


async def close_code(call: ClientConnection) -> int | None:
    async with asyncio.timeout(20):
        try:
            while True:
                await call.recv()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"\x00" * 641, "bad_audio"),
        ("hello", "bad_message"),
        ("[1, 2]", "bad_message"),
        ('{"type": "dance"}', "bad_message"),
        ('{"type": "text"}', "bad_message"),
        ('{"type": "text", "text": "   "}', "bad_message"),
        ('{"type": "playback", "turn": "x", "ms": -1}', "bad_message"),
    ],
)
async def test_small_mistakes_are_answered_and_the_call_goes_on(
    engine: Engine, message: Message, code: str
) -> None:
    call = await opened(engine)
    error = await answer(call, message)
    assert (error["code"], error["fatal"]) == (code, False)
    await call.send('{"type": "ping", "unknown": "field"}')
    assert json.loads(await call.recv())["type"] == "pong"
    await call.send('{"type": "end"}')
    assert await close_code(call) == 1000


@pytest.mark.parametrize(
    ("messages", "code", "close"),
    [
        ([bytes(65_538)], "frame_too_large", 4413),
        (['{"type": "text", "text": "' + "x" * 65_536 + '"}'], "frame_too_large", 4413),
        ([bytes(64_000)] * 6, "audio_too_fast", 4429),
    ],
)
async def test_what_would_harm_others_ends_the_call(
    engine: Engine, messages: list[Message], code: str, close: int
) -> None:
    call = await opened(engine)
    error = await answer(call, *messages)
    assert (error["code"], error["fatal"]) == (code, True)
    assert await close_code(call) == close


async def test_a_frame_of_ten_megabytes_is_not_even_read(engine: Engine) -> None:
    call = await opened(engine)
    with contextlib.suppress(ConnectionClosed):
        await call.send(bytes(10_000_000))
    assert await close_code(call) == 1009


async def test_too_many_mistakes_end_the_call(engine: Engine) -> None:
    call = await opened(engine)
    for _ in range(101):
        await call.send("nonsense")
    assert await close_code(call) == 4400


@pytest.mark.parametrize(
    ("query", "code", "close"),
    [
        ("agent=nobody", "unknown_agent", 4404),
        ("sample_rate=44100", "bad_format", 4400),
        ("encoding=opus", "bad_format", 4400),
        ("agent=bad-settings", "unusable_agent", 4500),
    ],
)
async def test_refusals_say_why(engine: Engine, query: str, code: str, close: int) -> None:
    call = await open_socket(f"{engine.url}?{query}", compression=None, proxy=None)
    assert (await answer(call))["code"] == code
    assert await close_code(call) == close


async def test_a_voice_that_does_not_exist_is_an_error_of_the_turn(engine: Engine) -> None:
    async with connect(engine.url, Options(agent="no-such-voice")) as call:
        await call.text("Hello.")
        error = await call.wait_for("error", timeout=20)
        assert error.data["code"] == "speech_failed"
        assert "nobody" in error.data["message"]
        await call.text("Still there?")
        await call.wait_for("error", since=len(call.events), timeout=20)
        await call.end()


async def test_silence_and_noise_are_not_answered(engine: Engine) -> None:
    noise = random.Random(5)
    hiss = bytes(noise.randrange(256) if at % 2 == 0 else 0 for at in range(2 * 16_000 * 2))
    call = await opened(engine)
    for audio in (bytes(len(hiss)), hiss):
        for at in range(0, len(audio), 6400):
            await call.send(audio[at : at + 6400])
            await asyncio.sleep(0.2)
    await asyncio.sleep(1.5)
    await call.send('{"type": "end"}')
    kinds = set()
    async with asyncio.timeout(10):
        try:
            while True:
                message = await call.recv()
                assert isinstance(message, str)
                kinds.add(json.loads(message)["type"])
        except ConnectionClosed:
            pass
    assert kinds <= {"speech_started", "transcription", "end"}


async def test_a_client_that_never_reads_is_let_go_and_others_do_not_suffer(
    engine: Engine,
) -> None:
    """A raw socket that does its handshake and then reads nothing."""
    gateway = engine.service("gateway")
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect(("127.0.0.1", gateway.port))
    deaf.sendall(
        b"GET /conversation?agent=minute&sample_rate=48000 HTTP/1.1\r\nHost: localhost\r\n"
        b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    handshake = await asyncio.to_thread(deaf.recv, 64)
    assert handshake.startswith(b"HTTP/1.1 101")
    deaf.sendall(_masked(b'{"type":"text","text":"Tell me about the museum."}'))
    try:
        async with connect(engine.url, Options(agent="one")) as call:
            await call.text("And me?")
            spoken = await call.wait_for("spoken", turn=1, timeout=30)
            assert not spoken.data["cut_off"]
            await call.end()
        await gone(engine)
    finally:
        deaf.close()
    assert gateway.metric('parley_conversations_total{reason="client_too_slow"}') == 1


async def test_a_client_that_never_plays_cannot_keep_a_turn_from_ending(engine: Engine) -> None:
    call = await opened(engine)
    await call.send('{"type": "text", "text": "Hello."}')
    stuck = '{"type": "playback", "turn": 1, "ms": 0}'
    async with asyncio.timeout(20):
        while True:
            await call.send(stuck)
            try:
                message = await asyncio.wait_for(call.recv(), 0.2)
            except TimeoutError:
                continue
            if isinstance(message, str) and json.loads(message)["type"] == "spoken":
                break
    await call.send('{"type": "end"}')
    assert await close_code(call) == 1000


async def test_clients_that_vanish_leave_nothing(engine: Engine) -> None:
    call = await opened(engine, "five")
    await call.send('{"type": "text", "text": "Tell me about the museum."}')
    while not isinstance(await call.recv(), bytes):
        pass
    call.transport.abort()
    await gone(engine)


@pytest.mark.alone
async def test_two_hundred_calls_leave_nothing_over(engine: Engine) -> None:
    gateway = engine.service("gateway")

    async def short_call(number: int) -> None:
        async with connect(engine.url, Options(agent="short", record=False)) as call:
            await call.text("Hello.")
            kind = "speaking" if number % 2 else "spoken"
            await call.wait_for(kind, turn=1, timeout=60)
            if number % 3:
                await call.end()

    async def many(count: int) -> None:
        lines = asyncio.Semaphore(8)

        async def one(number: int) -> None:
            async with lines:
                await short_call(number)

        await asyncio.gather(*(one(number) for number in range(count)))
        await gone(engine)

    names = ("gateway", "stt", "agent", "tts")
    await many(20)
    before = {name: _holdings(engine, name) for name in names}
    memory = {name: engine.service(name).usage.memory_info().rss for name in names}
    await many(200)
    await until(lambda: all(_no_more(_holdings(engine, n), before[n]) for n in names))
    for name in names:
        grown = engine.service(name).usage.memory_info().rss - memory[name]
        assert grown < 30e6, f"{name} has grown by {grown / 1e6:.0f} MB"
    assert gateway.metric("parley_conversations_active") == 0


def _holdings(engine: Engine, name: str) -> dict[str, float]:
    service = engine.service(name)
    return {
        "tasks": service.metric("parley_event_loop_tasks"),
        "subscriptions": service.metric("parley_bus_subscriptions"),
        "files": float(service.usage.num_fds()),
    }


def _no_more(now: dict[str, float], before: dict[str, float]) -> bool:
    # One connection to read the metrics may come or go.
    return all(now[kind] <= before[kind] + 3 for kind in now)


async def gone(engine: Engine) -> None:
    gateway = engine.service("gateway")
    await until(lambda: gateway.metric("parley_conversations_active") == 0)


async def until(condition: Any, timeout: float = 60) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        await asyncio.sleep(0.1)


def _masked(payload: bytes) -> bytes:
    """A client's text frame; a mask of zeros is a mask."""
    return bytes([0x81, 0x80 | len(payload)]) + bytes(4) + payload
