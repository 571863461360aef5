"""A TCP proxy that breaks connections on purpose: a partition, a slow line, a reset."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Literal, Self

Mode = Literal["pass", "blackhole", "reset"]

CHUNK = 64 * 1024


class FaultProxy:
    """Use it with `async with`; clients connect to `port` and reach the upstream address.

    `mode` holds for open connections too: `blackhole` keeps them open while nothing passes, as a
    partition looks from both sides; `reset` breaks them off, and new ones at once. `latency` (s)
    is added to all that passes, each way.
    """

    def __init__(self, host: str, port: int) -> None:
        self.port = 0
        self.latency = 0.0
        self._upstream = (host, port)
        self._mode: Mode = "pass"
        self._passing = asyncio.Event()
        self._passing.set()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def mode(self) -> Mode:
        """What happens to connections now."""
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._mode = mode
        if mode == "blackhole":
            self._passing.clear()
        else:
            self._passing.set()
        if mode == "reset":
            for writer in self._writers:
                writer.transport.abort()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a connection is served by a task")
        self._connections.add(task)
        try:
            async with self._kept(writer):
                # A partition takes in new connections, and answers none of them.
                await self._passing.wait()
                if self._mode == "reset":
                    return
                upstream_reader, upstream_writer = await asyncio.open_connection(*self._upstream)
                async with self._kept(upstream_writer), asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._pump(reader, upstream_writer))
                    tasks.create_task(self._pump(upstream_reader, writer))
        except* OSError:
            pass
        finally:
            self._connections.discard(task)

    @contextlib.asynccontextmanager
    async def _kept(self, writer: asyncio.StreamWriter) -> AsyncIterator[None]:
        self._writers.add(writer)
        try:
            yield
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on one direction; what is late does not hold up what comes after it."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(1000)

        async def read() -> None:
            while data := await reader.read(CHUNK):
                await queue.put((time.monotonic() + self.latency, data))
            raise ConnectionResetError("the other end is closed")

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(read())
            while True:
                due, data = await queue.get()
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                await self._passing.wait()
                writer.write(data)
                await writer.drain()
