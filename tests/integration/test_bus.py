"""The bus when NATS goes away."""

import asyncio

import pytest

from parley import bus as bus_module
from parley.bus import Bus, BusUnreachable, RequestTimeout
from parley.config import ServiceConfig
from parley.messages import Interrupt
from support.nats import NatsServer, free_port


async def test_audio_is_not_kept_while_nats_is_away(nats_server: NatsServer) -> None:
    got: list[bytes] = []

    async def collect(msg: object) -> None:
        got.append(msg.data)  # type: ignore[attr-defined]

    async with Bus(ServiceConfig(nats_url=nats_server.url), "test") as bus:
        await bus.subscribe("parley.v1.test", collect)
        assert await bus.publish_media("parley.v1.test", b"before")
        await bus.flush()
        nats_server.stop()
        await until(lambda: not bus.connected)
        assert not await bus.publish_media("parley.v1.test", b"stale")
        nats_server.start()
        await until(lambda: bus.connected)
        await bus.flush()  # the subscription is there again
        assert await bus.publish_media("parley.v1.test", b"after")
        await bus.flush()
        await until(lambda: len(got) >= 2)
    assert got == [b"before", b"after"]


async def test_flush_returns_after_all_that_was_sent_before() -> None:
    wire = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"max_payload": 1048576, "headers": true}\r\n')
        while data := await reader.read(65536):
            wire.extend(data)
            writer.write(b"PONG\r\n" * data.count(b"PING\r\n"))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Bus(ServiceConfig(nats_url=f"nats://127.0.0.1:{port}"), "test") as bus:
        wire.clear()
        assert await bus.publish_media("parley.v1.test", b"before")
        await bus.flush()
        assert wire.endswith(b"before\r\nPING\r\n")


async def test_a_request_into_the_void_fails(nats_server: NatsServer) -> None:
    async with Bus(ServiceConfig(nats_url=nats_server.url), "test") as bus:
        nats_server.stop()
        await until(lambda: not bus.connected)
        with pytest.raises(RequestTimeout):
            await bus.request("parley.v1.test", Interrupt(turn=1), 0.1)


async def test_a_lost_server_is_waited_for_before_the_client_says_that_it_is_lost(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection with TLS may take long to close. Whoever waits in a loop would never pause."""
    closed = asyncio.Event()
    async with Bus(ServiceConfig(nats_url=nats_server.url), "test") as bus:
        monkeypatch.setattr(bus._nats._transport, "wait_closed", closed.wait)
        nats_server.stop()
        await until(lambda: not bus.connected)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await bus.wait_connected()
        closed.set()
        nats_server.start()
        async with asyncio.timeout(20):
            await bus.wait_connected()
        assert bus.connected


async def test_a_server_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus_module, "CONNECT_SECONDS", 0.3)
    url = f"nats://127.0.0.1:{free_port()}"
    with pytest.raises(BusUnreachable, match=url):
        async with Bus(ServiceConfig(nats_url=url), "test"):
            pass


async def until(condition: object) -> None:
    async with asyncio.timeout(20):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.01)
