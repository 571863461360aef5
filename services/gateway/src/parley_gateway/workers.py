"""The workers that the gateway sees: what each said of itself in the last seconds.

Claims go to whoever NATS chooses. Only where one of a stage's workers may be frozen, and
would swallow them, are they meant for one that is known to live.
"""

import time
from functools import partial
from typing import Any

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from parley import metrics as shared_metrics
from parley import subjects
from parley.bus import Bus, decode_or_drop, unsubscribe
from parley.messages import WorkerStatus
from parley.subjects import Stage
from parley_gateway import metrics

FORGET_SECONDS = 3.5
"""A worker that was silent for so long is not counted: they speak each second."""


class Workers:
    """Who is there: for readiness, for /status, and for claims that got no answer."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._seen: dict[str, tuple[float, WorkerStatus]] = {}
        self._suspects: dict[str, Stage] = {}
        self._subscription: Subscription | None = None

    async def open(self) -> None:
        """Begin to listen."""
        for stage in Stage:
            metrics.WORKERS.labels(stage).set_function(partial(self._total, stage, "workers"))
            capacity = partial(self._total, stage, "capacity")
            metrics.WORKERS_CAPACITY.labels(stage).set_function(capacity)
        self._subscription = await self._bus.subscribe(subjects.WORKERS, self._on_status)

    async def close(self) -> None:
        """Listen no more."""
        await unsubscribe(self._subscription)

    async def _on_status(self, msg: Msg) -> None:
        status = decode_or_drop(msg.data, msg.subject)
        if not isinstance(status, WorkerStatus):
            return
        if not _speaks_for_itself(msg.subject, status):
            shared_metrics.MESSAGES_DROPPED.labels("unexpected").inc()
            return
        self._suspects.pop(status.worker_id, None)
        if status.state == "gone":
            self._seen.pop(status.worker_id, None)
        else:
            self._seen[status.worker_id] = (time.monotonic(), status)

    # --- Whom to ask for work

    def suspect(self, stage: Stage, worker_id: str) -> None:
        """A job of this worker fell silent: it may be frozen, until it is heard of again."""
        self._suspects[worker_id] = stage

    def has_suspects(self, stage: Stage) -> bool:
        """Whether a worker of the stage may be frozen."""
        self._suspects = {one: at for one, at in self._suspects.items() if one in self._seen}
        return stage in self._suspects.values()

    def candidates(self, stage: Stage) -> list[str]:
        """Workers with room, the one heard of last first; none that may be frozen."""
        found = [
            (seen_at, status.worker_id)
            for seen_at, status in self._seen.values()
            if status.stage is stage
            and status.state == "ready"
            and status.running < status.capacity
            and self._suspects.get(status.worker_id) is not stage
        ]
        return [worker_id for _, worker_id in sorted(found, reverse=True)]

    # --- What there is

    def present(self) -> list[WorkerStatus]:
        """Workers heard of lately."""
        oldest = time.monotonic() - FORGET_SECONDS
        self._seen = {one: seen for one, seen in self._seen.items() if seen[0] >= oldest}
        return [status for _, status in self._seen.values()]

    def missing(self) -> list[Stage]:
        """Stages that nobody serves now."""
        served = {status.stage for status in self.present() if status.state == "ready"}
        return [stage for stage in Stage if stage not in served]

    def stages(self) -> dict[str, dict[str, int]]:
        """Workers, capacity and running jobs by stage; draining workers have no capacity."""
        totals = {str(stage): {"workers": 0, "capacity": 0, "running": 0} for stage in Stage}
        for status in self.present():
            stage = totals[status.stage]
            stage["workers"] += 1
            stage["running"] += status.running
            stage["capacity"] += status.capacity if status.state == "ready" else 0
        return totals

    def _total(self, stage: Stage, what: str) -> int:
        return self.stages()[stage][what]

    def status(self) -> list[dict[str, Any]]:
        """What each worker said, for /status."""
        return [
            status.model_dump(mode="json", exclude={"type"})
            for status in sorted(self.present(), key=lambda one: one.worker_id)
        ]


def _speaks_for_itself(subject: str, status: WorkerStatus) -> bool:
    """NATS lets no stage publish on another's subjects: so none can speak for another."""
    itself = subjects.worker(status.stage, status.worker_id)
    return subject == itself and status.worker_id.startswith(f"{status.stage}-")
