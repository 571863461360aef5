"""Notices at once when a worker that holds jobs is gone from NATS.

NATS knows: a killed worker's connection is closed, and its subscriptions are gone with it. So
each worker in use is probed, without an answer being due; once nobody listens any more, NATS
says *no responders*. A worker that is only frozen stays subscribed: its jobs fall silent, and
that is noticed by `jobs`.
"""

from collections.abc import Callable
from typing import NamedTuple

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from parley import logs, subjects
from parley.bus import Bus, unsubscribe
from parley.subjects import Stage

log = logs.get(__name__)

PROBE_SECONDS = 0.1
STRIKES = 2
"""A worker that moves to another server of a NATS cluster may miss one probe."""
GRACE_SECONDS = 1.0
"""After NATS was away, workers come back one by one."""

_NO_RESPONDERS = "503"


class WorkerKey(NamedTuple):
    """A worker, wherever it is."""

    stage: Stage
    id: str


class Liveness:
    """Tells those who watch a worker that it is gone."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._inbox = bus.inbox()
        self._watching: dict[WorkerKey, set[Callable[[], None]]] = {}
        self._strikes: dict[WorkerKey, int] = {}
        self._subscription: Subscription | None = None

    async def open(self) -> None:
        """Listen for what NATS says."""
        self._subscription = await self._bus.subscribe(f"{self._inbox}.*.*", self._on_answer)

    async def close(self) -> None:
        """Listen no more."""
        await unsubscribe(self._subscription)

    def watch(self, worker: WorkerKey, on_gone: Callable[[], None]) -> None:
        """Call `on_gone` once the worker is gone."""
        self._watching.setdefault(worker, set()).add(on_gone)

    def unwatch(self, worker: WorkerKey, on_gone: Callable[[], None]) -> None:
        """Do not call it any more."""
        watchers = self._watching.get(worker, set())
        watchers.discard(on_gone)
        if not watchers:
            self._watching.pop(worker, None)
            self._strikes.pop(worker, None)

    async def probe(self) -> None:
        """Ask NATS after each worker that is watched; due each PROBE_SECONDS."""
        for worker in list(self._watching):
            await self._bus.probe(subjects.probe(*worker), f"{self._inbox}.{'.'.join(worker)}")

    async def _on_answer(self, msg: Msg) -> None:
        status = (msg.headers or {}).get("Status")
        stage, worker_id = msg.subject.split(".")[-2:]
        worker = WorkerKey(Stage(stage), worker_id)
        if status != _NO_RESPONDERS or worker not in self._watching:
            return
        if self._bus.connected_seconds < GRACE_SECONDS:
            return
        self._strikes[worker] = self._strikes.get(worker, 0) + 1
        if self._strikes[worker] >= STRIKES:
            log.warning("worker gone", worker=worker.id)
            self._strikes.pop(worker)
            for on_gone in list(self._watching.pop(worker)):
                on_gone()
