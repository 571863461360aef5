"""One engine, measured: first what its processes cost each other, then with more and more calls."""

import asyncio
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.sizing import ears, peers
from benchmarks.sizing.callers import Crowd
from benchmarks.sizing.meter import SERVICES, Meter
from parley.bus import Bus
from parley.config import ServiceConfig
from parley.worker import STATUS_SECONDS
from support.engine import Engine
from support.secured import SecuredNats

SETTLE_SECONDS = 3.0
UNDERRUNS = 'parley_playout_underruns_total{where="segment"}'


@dataclass
class Lab:
    """An engine on the shipped configuration of NATS, with a process of each service.

    `profile` is the agent's, `settings` are those of single services.
    """

    folder: Path
    profile: dict[str, Any]
    settings: Mapping[str, Mapping[str, str]]

    def __post_init__(self) -> None:
        self.nats = SecuredNats(self.folder / "nats")
        self.engine = Engine(
            self.folder / "engine",
            {"default": self.profile},
            nats=self.nats,
            settings={name: self._environment(name) for name in SERVICES},
        )

    def _environment(self, name: str) -> dict[str, str]:
        own = {"PARLEY_RECORD_HOURS": "0", **self.settings.get(name, {})}
        return {**own, **self.nats.settings(name)}

    async def calls(
        self, points: Sequence[int], sample_rate: int, seconds: float, windows: int
    ) -> dict[str, Any]:
        """Measure with so many calls at once, one number after the other, each in some windows."""
        found = []
        async with self._bus("operator") as bus, asyncio.TaskGroup() as tasks:
            meter = Meter(self.engine, self.nats, bus)
            await meter.open()
            crowd = Crowd(self.engine.url, sample_rate, tasks)
            for calls in points:
                await crowd.grow(calls)
                await asyncio.sleep(SETTLE_SECONDS)
                for _ in range(windows):
                    before, waited = crowd.turns, len(crowd.waits)
                    window = await meter.window(calls, seconds)
                    wait = statistics.median(crowd.waits[waited:] or [0.0])
                    window = replace(window, turns=crowd.turns - before, wait=wait)
                    found.append(asdict(window))
            await crowd.hang_up()
        underruns = await asyncio.to_thread(self.engine.service("gateway").metric, UNDERRUNS)
        return {"sample_rate": sample_rate, "underruns": underruns, "windows": found}

    @contextmanager
    def without_hearing(self) -> Iterator[None]:
        """While it lasts, something hears that costs nothing: see `ears`."""
        self.engine.service("stt").stop()
        with ears.hearing(self.nats.settings("stt")):
            time.sleep(STATUS_SECONDS + 1)
            self.engine.wait_ready()
            yield

    async def peers(self) -> dict[str, float]:
        """Microseconds of processor that one process costs another, without any call."""
        worker_id = await asyncio.to_thread(self._worker_id)
        async with (
            self._bus("operator") as operator,
            self._bus("gateway") as gateway,
            self._bus("stt") as stt,
        ):
            meter = Meter(self.engine, self.nats, operator)
            return {
                "probe_sent_us": 1e6 * await peers.probe_sent(gateway, worker_id),
                "probe_received_us": 1e6 * await peers.probe_received(meter, gateway, worker_id),
                "status_received_us": 1e6 * await peers.status_received(meter, stt),
            }

    def _bus(self, user: str) -> Bus:
        settings = self.nats.settings(user)
        config = ServiceConfig.model_validate(
            {
                "nats_url": settings["PARLEY_NATS_URL"],
                "nats_seed_file": settings["PARLEY_NATS_SEED_FILE"],
            }
        )
        return Bus(config, f"parley-{user}")

    def _worker_id(self) -> str:
        lines = self.engine.service("stt").log_lines()
        return next(str(line["worker"]) for line in lines if line.get("event") == "worker ready")
