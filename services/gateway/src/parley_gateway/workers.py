"""The workers that the gateway sees: what each said of itself in the last seconds."""

import time
from typing import Any

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from parley import subjects
from parley.bus import Bus, decode_or_drop, unsubscribe
from parley.messages import WorkerStatus
from parley.subjects import Stage
from parley_gateway import metrics

FORGET_SECONDS = 3.5
"""A worker that was silent for so long is not counted: they speak each second."""


class Workers:
    """Who is there, for readiness and /status. Claims never go by it: NATS routes those."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._seen: dict[str, tuple[float, WorkerStatus]] = {}
        self._subscription: Subscription | None = None

    async def open(self) -> None:
        """Begin to listen."""
        self._subscription = await self._bus.subscribe(subjects.WORKERS, self._on_status)

    async def close(self) -> None:
        """Listen no more."""
        await unsubscribe(self._subscription)

    async def _on_status(self, msg: Msg) -> None:
        status = decode_or_drop(msg.data, msg.subject)
        if not isinstance(status, WorkerStatus):
            return
        if status.state == "gone":
            self._seen.pop(status.worker_id, None)
        else:
            self._seen[status.worker_id] = (time.monotonic(), status)
        for stage, totals in self.stages().items():
            metrics.WORKERS.labels(stage).set(totals["workers"])
            metrics.WORKERS_CAPACITY.labels(stage).set(totals["capacity"])

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

    def status(self) -> list[dict[str, Any]]:
        """What each worker said, for /status."""
        return [
            status.model_dump(mode="json", exclude={"type"})
            for status in sorted(self.present(), key=lambda one: one.worker_id)
        ]
