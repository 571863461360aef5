"""What a running engine uses: its processes as the system sees them, its traffic as NATS does."""

import asyncio
import statistics
import time
from collections import defaultdict
from dataclasses import dataclass, field

import psutil
from nats.aio.msg import Msg

from parley import subjects
from parley.bus import Bus, decode_or_drop
from parley.messages import WorkerStatus
from support.engine import Engine
from support.nats import NatsServer

SERVICES = ("gateway", "stt", "agent", "tts")
BUCKET = "KV_parley_calls"


@dataclass(frozen=True)
class Traffic:
    """Of one service with NATS, a second: what it publishes, and what is delivered to it."""

    messages_out: float
    bytes_out: float
    messages_in: float
    bytes_in: float


@dataclass(frozen=True)
class Window:
    """Some seconds of so many calls. `cpu`: cores in use. `memory`: MB resident at the end.

    `wait`: seconds from a question's end to its answer's beginning, the median.
    """

    calls: int
    seconds: float
    turns: int
    wait: float
    cpu: dict[str, float]
    memory: dict[str, float]
    traffic: dict[str, Traffic]
    jobs: dict[str, float]
    """Jobs under way, on average, by stage."""
    writes: float
    """Of calls' records into JetStream, a second."""
    record_bytes: float
    """A call's record as it is kept, on average at the end."""
    busy: float
    """The share of the machine's processors that all together used: callers and others too."""


@dataclass(frozen=True)
class _Kept:
    writes: int
    records: int
    bytes: int


@dataclass(frozen=True)
class _Snapshot:
    at: float
    cpu: dict[str, float]
    traffic: dict[str, Traffic]
    kept: _Kept


@dataclass
class Meter:
    """Reads an engine with one process of each service at most, over an operator's connection."""

    engine: Engine
    nats: NatsServer
    bus: Bus
    _running: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    async def open(self) -> None:
        """Listen to what workers say of themselves."""
        await self.bus.subscribe(subjects.WORKERS, self._on_status)

    async def window(self, calls: int, seconds: float) -> Window:
        """Measure for so long. `turns` and `wait` are left at 0: callers know of those."""
        self._running.clear()
        psutil.cpu_percent()
        before = self._snapshot()
        await asyncio.sleep(seconds)
        after = self._snapshot()
        took = after.at - before.at
        return Window(
            calls=calls,
            seconds=took,
            turns=0,
            wait=0.0,
            cpu={name: (after.cpu[name] - before.cpu[name]) / took for name in after.cpu},
            memory={name: one.memory_info().rss / 1e6 for name, one in self._processes().items()},
            traffic={
                name: _rates(before.traffic[name], after.traffic[name], took) for name in SERVICES
            },
            jobs={stage: statistics.fmean(seen) for stage, seen in self._running.items()},
            writes=(after.kept.writes - before.kept.writes) / took,
            record_bytes=after.kept.bytes / max(after.kept.records, 1),
            busy=psutil.cpu_percent() / 100,
        )

    async def cpu(self, name: str, seconds: float) -> float:
        """The processor seconds that a process uses in so many seconds."""
        before = _cpu_seconds(self._processes()[name])
        await asyncio.sleep(seconds)
        return _cpu_seconds(self._processes()[name]) - before

    async def _on_status(self, msg: Msg) -> None:
        status = decode_or_drop(msg.data, msg.subject)
        if isinstance(status, WorkerStatus):
            self._running[status.stage].append(status.running)

    def _processes(self) -> dict[str, psutil.Process]:
        running = [name for name in SERVICES if self.engine.running(name)]
        found = {name: self.engine.service(name).usage for name in running}
        servers = [
            one for one in psutil.Process().children() if one.name().startswith("nats-server")
        ]
        return {**found, "nats": servers[0]}

    def _snapshot(self) -> _Snapshot:
        cpu = {name: _cpu_seconds(one) for name, one in self._processes().items()}
        return _Snapshot(time.monotonic(), cpu, self._traffic(), self._kept())

    def _traffic(self) -> dict[str, Traffic]:
        found = self.nats.monitor("/connz")["connections"]
        return {
            one["name"].removeprefix("parley-"): Traffic(
                one["in_msgs"], one["in_bytes"], one["out_msgs"], one["out_bytes"]
            )
            for one in found
        }

    def _kept(self) -> _Kept:
        accounts = self.nats.monitor("/jsz?accounts=true&streams=true")["account_details"]
        for account in accounts:
            for stream in account.get("stream_detail", []):
                if stream["name"] == BUCKET:
                    state = stream["state"]
                    return _Kept(state["last_seq"], state["messages"], state["bytes"])
        raise RuntimeError(f"JetStream has no {BUCKET}")


def _cpu_seconds(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system + used.children_user + used.children_system)


def _rates(before: Traffic, after: Traffic, seconds: float) -> Traffic:
    return Traffic(
        (after.messages_out - before.messages_out) / seconds,
        (after.bytes_out - before.bytes_out) / seconds,
        (after.messages_in - before.messages_in) / seconds,
        (after.bytes_in - before.bytes_in) / seconds,
    )
