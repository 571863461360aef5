"""The engine at one moment: for programs, and what the tables need. Pure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from parley.messages import WorkerStatus
from parley.operating import GatewayStatus, LiveCall
from parley.subjects import Stage
from parley_cli.fleet import Process, Seen
from parley_cli.operator import NatsState


@dataclass(frozen=True)
class Look:
    """What was seen at one moment. `calls` are by gateway; None: it did not answer."""

    nats: NatsState | None
    gateways: list[Seen[GatewayStatus]]
    workers: list[Seen[WorkerStatus]]
    calls: Mapping[str, list[LiveCall] | None]


def document(seen: Look, at: float) -> dict[str, Any]:
    """All of it, for programs. `at`: seconds of Unix time."""
    return {
        "at": round(at, 3),
        "nats": None if seen.nats is None else asdict(seen.nats),
        "stages": stages(seen.workers),
        "latency": latency(seen.gateways),
        "gateways": [
            _process(one) | {"calls_known": seen.calls.get(one.id) is not None}
            for one in seen.gateways
        ],
        "workers": [_process(one) for one in seen.workers],
        "calls": [
            {"gateway": gateway} | call.model_dump()
            for gateway, calls in seen.calls.items()
            for call in calls or []
        ],
    }


def stages(workers: list[Seen[WorkerStatus]]) -> dict[str, dict[str, int]]:
    """What each stage has. Only workers that are ready have capacity; of silent ones, nobody
    knows what they run.
    """
    names = ("workers", "ready", "capacity", "free", "running")
    totals = {str(stage): dict.fromkeys(names, 0) for stage in Stage}
    for one in workers:
        stage, status = totals[one.status.stage], one.status
        stage["workers"] += 1
        stage["running"] += 0 if one.state == "silent" else status.running
        if one.state == "ready":
            stage["ready"] += 1
            stage["capacity"] += status.capacity
            stage["free"] += status.capacity - status.running
    return totals


def latency(gateways: list[Seen[GatewayStatus]]) -> dict[str, float | int | None]:
    """Voice to voice (ms) over the turns that the gateways remember: those of the last minutes."""
    times = sorted(ms for one in gateways for ms in one.status.voice_to_voice_ms)
    return {"turns": len(times), "p50_ms": share(times, 0.5), "p95_ms": share(times, 0.95)}


def share(ordered: list[float], part: float) -> float | None:
    """The least value that is not below that part of all of them; None of none."""
    if not ordered:
        return None
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)]


def _process(one: Process) -> dict[str, Any]:
    hidden = {"type", "worker_id", "gateway_id", "state"}
    fields = one.status.model_dump(mode="json", exclude=hidden)
    return {"id": one.id, "state": one.state, "silent_seconds": round(one.ago, 1), **fields}
