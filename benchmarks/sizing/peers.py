"""What processes cost each other, calls or not: probes of workers, and workers' announcements.

Every gateway hears every worker each second, and probes those that it uses ten times a second. In
an engine of one process each that is nothing; with hundreds of both it is most of NATS's traffic.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from benchmarks.sizing.meter import Meter
from parley import providers, subjects
from parley.bus import Bus
from parley.messages import WorkerStatus
from parley.subjects import Stage
from parley_gateway.liveness import PROBE_SECONDS, Liveness, WorkerKey

SECONDS = 6.0
EACH_SECOND = 1_000
FAKE_WORKERS = 50


async def probe_received(meter: Meter, gateway: Bus, worker_id: str) -> float:
    """Seconds of processor that a probe costs the stt worker."""
    subject = subjects.probe(Stage.STT, worker_id)
    inbox = gateway.inbox()

    async def probe(number: int) -> None:
        await gateway.probe(subject, inbox)

    return await _each(meter, "stt", probe)


async def status_received(meter: Meter, stt: Bus) -> float:
    """Seconds of processor that a worker's announcement costs a gateway."""
    statuses = [
        WorkerStatus(
            worker_id=f"stt-fake{number}",
            host=f"parley-stt-5d8f7c6b9-{number:05}",
            stage=Stage.STT,
            capacity=20,
            running=12,
            state="ready",
            providers=providers.names(Stage.STT),
        )
        for number in range(FAKE_WORKERS)
    ]

    async def announce(number: int) -> None:
        status = statuses[number % FAKE_WORKERS]
        await stt.publish(subjects.worker(Stage.STT, status.worker_id), status)

    return await _each(meter, "gateway", announce)


async def probe_sent(gateway: Bus, worker_id: str) -> float:
    """Seconds of processor that a probe costs a gateway, which sends a hundred at a time."""
    liveness = Liveness(gateway)
    await liveness.open()
    liveness.watch(WorkerKey(Stage.STT, worker_id), lambda: None)
    idle = await _own_cpu(SECONDS, 0, liveness)
    sent = round(SECONDS / PROBE_SECONDS) * 100
    busy = await _own_cpu(SECONDS, 100, liveness)
    await liveness.close()
    return (busy - idle) / sent


async def _own_cpu(seconds: float, at_once: int, liveness: Liveness) -> float:
    before = time.process_time()
    for _ in range(round(seconds / PROBE_SECONDS)):
        for _ in range(at_once):
            await liveness.probe()
        await asyncio.sleep(PROBE_SECONDS)
    return time.process_time() - before


async def _each(meter: Meter, name: str, act: Callable[[int], Awaitable[None]]) -> float:
    """What one more of `act` costs the process of that name; they come one by one."""
    idle = await meter.cpu(name, SECONDS)
    using = asyncio.create_task(meter.cpu(name, SECONDS))
    began, number = time.monotonic(), 0
    while not using.done():
        await act(number)
        number += 1
        due = began + number / EACH_SECOND
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    return (await using - idle) / number
