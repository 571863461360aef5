"""A worker and a gateway's channel to it, in the test's own process, over a real NATS."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from parley import job as worker_job
from parley.bus import Bus
from parley.messages import JobRequest, ReplyText, Spec
from parley.providers import ProviderError
from parley.subjects import Stage
from parley.worker import JobRun, Worker
from parley_gateway.jobs import JobChannel, Pool

SPEC = Spec(provider="test")
Run = Callable[[worker_job.Job], Awaitable[None]]


class Handler:
    """Runs one function for every job, and remembers how each ended."""

    def __init__(self, run: Run, refusal: ProviderError | None = None) -> None:
        self._run = run
        self._refusal = refusal
        self.began = asyncio.Event()
        self.cancelled = asyncio.Event()

    def open(self, request: JobRequest) -> JobRun:
        if self._refusal is not None:
            raise self._refusal
        return self._observed

    async def _observed(self, job: worker_job.Job) -> None:
        self.began.set()
        try:
            await self._run(job)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


async def forever(job: worker_job.Job) -> None:
    await asyncio.Event().wait()


async def say_three(job: worker_job.Job) -> None:
    for number in range(3):
        await job.send(ReplyText, text=str(number))


@asynccontextmanager
async def working(
    bus: Bus, handler: Handler, stage: Stage = Stage.AGENT, capacity: int = 1, drain: float = 0.0
) -> AsyncIterator[Worker]:
    worker = Worker(bus, stage, handler, capacity=capacity, drain_seconds=drain)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(worker.run())
        while not worker.offering:
            await asyncio.sleep(0)
        await bus.flush()
        yield worker
        worker.stop()
        await running


@asynccontextmanager
async def channel(bus: Bus, stage: Stage = Stage.AGENT) -> AsyncIterator[JobChannel]:
    pool = Pool(bus)
    opened = JobChannel(pool, stage, secrets.token_hex(4))
    await pool.open()
    await opened.open()
    looking = asyncio.create_task(pool.run())
    try:
        yield opened
    finally:
        looking.cancel()
        await opened.close()
        await pool.close()
