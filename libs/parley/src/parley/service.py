"""How every service process runs: event loop, signals, logging; and the whole of a worker."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from parley import health, logs, metrics, providers, tracing, vitals
from parley.api_keys import BadKeys
from parley.bus import Bus, BusUnreachable
from parley.config import ServiceConfig, WorkerConfig
from parley.guarded import Guarded
from parley.profiles import ProfileError
from parley.subjects import Stage
from parley.worker import JobHandler, Worker

log = logs.get(__name__)

EXPECTED = (BusUnreachable, OSError, providers.ProviderError, ProfileError, BadKeys)
"""What keeps a service from running for a reason that a line of text explains."""


def run(name: str, config: ServiceConfig, main: Callable[[asyncio.Event], Awaitable[None]]) -> int:
    """Run a service until SIGTERM or SIGINT sets the event it is given. The exit code."""
    logs.configure(name, config.log_format, config.log_level)
    tracing.configure(name, config.traces)
    vitals.introduce(name)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_with_signals(main))
    except EXPECTED as error:
        log.error("cannot run", reason=str(error))
        return 1
    except BaseExceptionGroup as group:
        expected, others = group.split(EXPECTED)
        if others or expected is None:
            raise
        log.error("cannot run", reason="; ".join(str(error) for error in _leaves(expected)))
        return 1
    finally:
        tracing.shut_down()
    return 0


def run_worker(
    stage: Stage,
    handler: JobHandler,
    *,
    capacity: int,
    embedded: str,
    close: Callable[[], Awaitable[None]] | None = None,
) -> int:
    """Run a worker of `stage`: warm up, offer capacity, drain on SIGTERM. The exit code.

    `capacity` and `embedded` (the provider to warm up) hold unless the environment says
    otherwise: see WorkerConfig. `close` lets go of what the handler holds.
    """
    config = WorkerConfig()

    async def main(stop: asyncio.Event) -> None:
        state: dict[str, Any] = {"stage": str(stage), "state": "loading"}
        worker: Worker | None = None

        def readiness() -> tuple[bool, dict[str, Any]]:
            if worker is None:
                return False, state
            detail = {"capacity": worker.capacity, "running": worker.running, "worker": worker.id}
            ready = not stop.is_set() and bus.connected
            return ready, {**state, **detail, "nats": bus.connected}

        async with (
            health.serve(health.app(readiness), config.host, config.port) as port,
            Bus(config, f"parley-{stage}") as bus,
        ):
            log.info("listening", port=port)
            warm = [providers.load(stage, provider) for provider in config.warm_providers(embedded)]
            try:
                for provider in warm:
                    await provider.warm_up()
                worker = Worker(
                    bus,
                    stage,
                    Guarded(stage, handler),
                    capacity=config.capacity or capacity,
                    providers=providers.names(stage),
                    drain_seconds=config.drain_seconds,
                    on_drain=stop.set,
                )
                state["state"] = "ready"
                async with asyncio.TaskGroup() as tasks:
                    running = tasks.create_task(worker.run())
                    await stop.wait()
                    state["state"] = "draining"
                    worker.stop()
                    await running
            finally:
                if close is not None:
                    await close()
                for provider in providers.loaded(stage):
                    await provider.shut_down()

    return run(stage, config, main)


async def _with_signals(main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    metrics.DRAINING.set_function(stop.is_set)
    watching = loop.create_task(vitals.watch_loop())
    try:
        await main(stop)
    finally:
        watching.cancel()
        await asyncio.wait([watching])


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
