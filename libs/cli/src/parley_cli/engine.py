"""The whole engine on this machine: its services as child processes, kept alive together."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from parley_cli.errors import Failure
from parley_cli.process import last_lines
from parley_cli.service import Service, Spec, State

POLL_SECONDS = 0.5
STOP_SECONDS = 10.0
LAST_STOP_SECONDS = 2.0


class Engine:
    """A set of services. Made by `running`."""

    def __init__(self, services: Sequence[Service]) -> None:
        self.services = services
        self.changed = asyncio.Event()
        """Set after each look at the services."""
        self._stopping = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether every service is."""
        return all(service.state is State.READY for service in self.services)

    async def wait_ready(self, timeout: float, on_look: Callable[[], None] = lambda: None) -> None:
        """Return once all is ready. Raises Failure when it will not be, or after `timeout` s.

        `on_look` is called after each look at the services.
        """
        deadline = time.monotonic() + timeout
        while not self.ready:
            if failed := [one for one in self.services if one.restarts.hopeless]:
                raise Failure(_why(failed[0]))
            if time.monotonic() > deadline:
                late = [one.spec.name for one in self.services if one.state is not State.READY]
                raise Failure(f"not ready after {timeout:.0f} s: {', '.join(late)}")
            await self.next_look()
            on_look()

    async def next_look(self) -> None:
        """Wait until the services have been looked at again."""
        self.changed.clear()
        await self.changed.wait()

    def kill(self) -> None:
        """End every process at once."""
        self._stopping.set()
        for service in self.services:
            service.signal(signal.SIGKILL)

    async def _watch(self) -> None:
        # Without the environment's proxies: all of this is on this machine.
        async with httpx.AsyncClient(timeout=1.0, trust_env=False) as http:
            while True:
                await asyncio.gather(*(service.poll(http) for service in self.services))
                self.changed.set()
                await asyncio.sleep(POLL_SECONDS)

    async def _stop(self, keepers: dict[Service, asyncio.Task[None]], seconds: float) -> None:
        self._stopping.set()
        for last, bound in ((False, seconds), (True, LAST_STOP_SECONDS)):
            group = {one: task for one, task in keepers.items() if one.spec.stops_last is last}
            if not group:
                continue
            for service in group:
                service.signal(signal.SIGTERM)
            _, left = await asyncio.wait(group.values(), timeout=bound)
            while left:
                for service in group:
                    service.signal(signal.SIGKILL)
                _, left = await asyncio.wait(left, timeout=0.5)


@asynccontextmanager
async def running(
    specs: Sequence[Spec], logs: Path, stop_seconds: float = STOP_SECONDS
) -> AsyncIterator[Engine]:
    """Start the services; stop them all on the way out, however that comes about.

    Each has `stop_seconds` to stop by itself before it is killed. Logs go to `logs`.
    """
    engine = Engine([Service(spec, logs) for spec in specs])
    watcher = asyncio.create_task(engine._watch())
    keepers = {one: asyncio.create_task(one.keep(engine._stopping)) for one in engine.services}
    try:
        yield engine
    finally:
        try:
            await engine._stop(keepers, stop_seconds)
        finally:
            engine.kill()
            watcher.cancel()
            results = await asyncio.gather(watcher, *keepers.values(), return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


def _why(service: Service) -> str:
    lines = last_lines(service.log)
    return "\n  ".join([f"{service.spec.name} does not start; its log ends:", *lines])
