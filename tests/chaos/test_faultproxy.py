"""The proxy that stands for a bad network does what it is told."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from support.faultproxy import FaultProxy


@pytest.fixture
async def proxy() -> AsyncIterator[FaultProxy]:
    """A proxy before a server that sends back what it gets."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, FaultProxy("127.0.0.1", server.sockets[0].getsockname()[1]) as running:
        yield running


async def ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout: float = 5.0
) -> bytes:
    writer.write(b"hello")
    async with asyncio.timeout(timeout):
        return await reader.readexactly(5)


async def test_it_passes_all_on(proxy: FaultProxy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    assert await ask(reader, writer) == b"hello"
    writer.close()


async def test_a_partition_holds_everything_up_and_heals(proxy: FaultProxy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    await ask(reader, writer)
    proxy.mode = "blackhole"
    with pytest.raises(TimeoutError):
        await ask(reader, writer, timeout=0.3)
    proxy.mode = "pass"
    assert await reader.readexactly(5) == b"hello"
    writer.close()


async def test_a_reset_breaks_connections_off(proxy: FaultProxy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    await ask(reader, writer)
    proxy.mode = "reset"
    with pytest.raises((OSError, asyncio.IncompleteReadError)):
        await ask(reader, writer)
    proxy.mode = "pass"
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    assert await ask(reader, writer) == b"hello"
    writer.close()


async def test_latency_is_added_each_way(proxy: FaultProxy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    proxy.latency = 0.2
    began = time.monotonic()
    await ask(reader, writer)
    assert time.monotonic() - began >= 0.4
    writer.close()
