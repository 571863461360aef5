"""What the metrics say of the workers is true, also when the last of them fell silent."""

from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import REGISTRY

from parley.messages import WorkerStatus, encode
from parley.subjects import Stage, worker
from parley_gateway import workers
from parley_gateway.workers import Workers


class NoBus:
    """Nobody calls on it by himself."""

    async def subscribe(self, *_: object) -> None:
        return None


async def seen(found: Workers, worker_id: str, state: str = "ready") -> None:
    status = WorkerStatus.model_validate(
        {"worker_id": worker_id, "stage": "stt", "capacity": 20, "running": 3, "state": state}
    )
    message: Any = SimpleNamespace(data=encode(status), subject=worker(Stage.STT, worker_id))
    await found._on_status(message)


def shown(stage: str) -> tuple[float | None, float | None]:
    names = ("parley_workers", "parley_workers_capacity")
    count, capacity = (REGISTRY.get_sample_value(name, {"stage": stage}) for name in names)
    return count, capacity


async def test_gauges_follow_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    bus: Any = NoBus()
    found = Workers(bus)
    await found.open()
    assert shown("stt") == shown("tts") == (0, 0), "there, so that an alert can compare them"
    await seen(found, "stt-00000001")
    await seen(found, "stt-00000002", "draining")
    assert shown("stt") == (2, 20)
    monkeypatch.setattr(workers, "FORGET_SECONDS", -1.0)
    assert shown("stt") == (0, 0), "though nobody has said so"
