"""One service of the engine: its process, kept alive, and what it says of itself."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import httpx

from parley_cli import ports, process, usage
from parley_cli.supervision import Restarts


class State(StrEnum):
    """What a service is doing. The value is what the table shows."""

    STARTING = "starting"
    LOADING = "loading models"
    WAITING = "waiting"
    READY = "ready"
    RESTARTING = "restarting"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Spec:
    """How a service is run."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    port: int = 0
    """Where it listens; 0: a free port for each start, told to it as PARLEY_PORT."""
    speaks_http: bool = True
    """Whether it answers /readyz; else it is ready once its port is open."""
    stops_last: bool = False
    """Whether the others need it to stop well."""


class Service:
    """Runs a Spec. `keep` restarts it, `poll` asks how it is."""

    def __init__(self, spec: Spec, logs: Path) -> None:
        self.spec = spec
        self.log = logs / f"{spec.name}.log"
        self.state = State.STARTING
        self.restarts = Restarts()
        self.detail: dict[str, Any] = {}
        self.port = spec.port
        self.last_exit: int | None = None
        self.cpu_percent: float | None = None
        self.rss_bytes: int | None = None
        self._child: process.Child | None = None
        self._started_at = 0.0
        self._was_ready = False
        self._usage: tuple[float, usage.Usage] | None = None

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return self._child.pid if self._child and self._child.alive else None

    @property
    def uptime(self) -> float:
        """Seconds since the process was started; 0 without one."""
        return time.monotonic() - self._started_at if self.pid else 0.0

    async def keep(self, stopping: asyncio.Event) -> None:
        """Run the process, and run it again when it dies, until `stopping` is set."""
        while not stopping.is_set():
            self.last_exit = await self._run(stopping)
            self.detail = {}
            if stopping.is_set():
                break
            alive = time.monotonic() - self._started_at
            delay = self.restarts.after_death(alive, self._was_ready)
            self.state = State.RESTARTING
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), delay)
        self.state = State.STOPPED

    async def _run(self, stopping: asyncio.Event) -> int | None:
        """Run the process to its end. Its exit code; None if there is no such program."""
        self.state = State.STARTING
        self._was_ready, self._usage = False, None
        self.port = self.spec.port or ports.free()
        env = {**self.spec.env, "PARLEY_PORT": str(self.port)}
        self._started_at = time.monotonic()
        try:
            self._child = await process.start(self.spec.argv, env, self.log)
        except OSError as error:
            self.log.write_text(f"cannot run {self.spec.argv[0]}: {error.strerror}\n")
            return None
        if stopping.is_set():  # the signal to stop came before there was a process
            self.signal(signal.SIGTERM)
        return await self._child.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, if there is one."""
        if self._child is not None:
            self._child.signal(number)

    async def poll(self, http: httpx.AsyncClient) -> None:
        """Bring `state`, `detail` and the use of the machine up to date."""
        pid = self.pid
        if pid is None:
            self.cpu_percent = self.rss_bytes = None
            return
        self._measure(pid)
        state = await (self._ask(http) if self.spec.speaks_http else self._knock())
        # A process that died meanwhile has a state already; a new one is asked next time.
        if self.pid == pid and state is not None:
            self.state = state
            self._was_ready |= state is State.READY

    async def _ask(self, http: httpx.AsyncClient) -> State | None:
        try:
            response = await http.get(f"http://127.0.0.1:{self.port}/readyz")
            detail = response.json()
        except (httpx.HTTPError, ValueError):
            # A process that is busy loading may miss a question; only a new one is starting.
            return None if self.detail else State.STARTING
        self.detail = detail if isinstance(detail, dict) else {}
        if response.is_success:
            return State.READY
        return State.LOADING if self.detail.get("state") == "loading" else State.WAITING

    async def _knock(self) -> State:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return State.STARTING
        writer.close()
        return State.READY

    def _measure(self, pid: int) -> None:
        reading, now = usage.read(pid), time.monotonic()
        if reading is None:
            return
        if self._usage is not None:
            before, earlier = self._usage
            used = reading.cpu_seconds - earlier.cpu_seconds
            self.cpu_percent = 100 * used / max(now - before, 1e-3)
        self.rss_bytes = reading.rss_bytes
        self._usage = (now, reading)
