"""From what a call costs to what many calls need: arithmetic on what was measured."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.sizing.fit import Curve, Line, curve, line

SERVICES = ("gateway", "stt", "agent", "tts")
TARGET = 0.6
"""Autoscalers keep pods at this share of their capacity ..."""
PROCESSOR_TARGET = 0.8
"""... and of the processor that they ask for at this share, whichever takes more pods."""
FEWEST = 3
"""Pods of each service, at least."""
PROBES_A_SECOND = 10
"""Of each worker that a gateway uses."""
MIB = 1024**2


@dataclass(frozen=True)
class Pod:
    """What one has, in deploy/kubernetes. `capacity`: calls of a gateway, jobs of a worker."""

    capacity: int
    cores: float
    mebibytes: int


PODS: Mapping[str, Mapping[str, Pod]] = {
    "cloud": {
        "gateway": Pod(80, 1, 512),
        "stt": Pod(40, 1, 512),
        "agent": Pod(50, 1, 384),
        "tts": Pod(50, 1, 384),
    },
    "embedded": {
        "gateway": Pod(80, 1, 512),
        "stt": Pod(20, 2, 768),
        "agent": Pod(4, 2, 1536),
        "tts": Pod(16, 1, 768),
    },
}


@dataclass(frozen=True)
class Cost:
    """Of one process: cores and MB by its calls, and the jobs of a call at a moment, on average."""

    cpu: Curve
    memory: Line
    jobs: float


@dataclass(frozen=True)
class Peers:
    """Seconds of processor that one process costs another."""

    probe_sent: float
    probe_received: float
    status_received: float


@dataclass(frozen=True)
class Need:
    """Of one service, for so many calls. `peers`: cores of each pod that go to other processes."""

    replicas: int
    cores: float
    gigabytes: float
    cores_asked: float
    gigabytes_asked: float
    peers: float


def costs(profile: Mapping[str, Any], *more: Mapping[str, Any]) -> dict[str, Cost]:
    """What each service costs, and NATS, from one profile's windows.

    `more` are windows with still more calls, in which some services were left out.
    """
    windows: Sequence[Mapping[str, Any]] = profile["windows"]
    most = max(window["calls"] for window in windows)
    beyond = [one for other in more for one in other["windows"] if one["calls"] > most]
    called = [window for window in windows if window["calls"]]

    def cost(name: str) -> Cost:
        cpu = [
            (one["calls"], one["cpu"][name]) for one in [*windows, *beyond] if name in one["cpu"]
        ]
        memory = [(one["calls"], one["memory"][name]) for one in called]
        jobs = [(one["calls"], one["jobs"].get(name, one["calls"])) for one in called]
        return Cost(curve(cpu), line(memory), line(jobs, through_zero=True).each)

    return {name: cost(name) for name in windows[0]["cpu"]}


def peers(result: Mapping[str, Any]) -> Peers:
    """What was measured of that."""
    found = {name.removesuffix("_us"): us / 1e6 for name, us in result["peers"].items()}
    return Peers(**found)


def needs(
    spent: Mapping[str, Cost], pods: Mapping[str, Pod], between: Peers, calls: int
) -> dict[str, Need]:
    """What each service needs for so many calls in one Parley."""
    replicas = {name: pods_for(spent[name], pods[name], calls) for name in SERVICES}
    workers = sum(replicas[name] for name in SERVICES[1:])
    used = used_workers(spent, replicas, calls)
    found = {}
    for name in SERVICES:
        count, cost, pod = replicas[name], spent[name], pods[name]
        if name == "gateway":
            others = workers * between.status_received
            others += PROBES_A_SECOND * used * between.probe_sent
        else:
            share = used_by(replicas[name], calls * cost.jobs / replicas["gateway"])
            asking = replicas["gateway"] * share / replicas[name]
            others = PROBES_A_SECOND * asking * between.probe_received
        found[name] = Need(
            replicas=count,
            cores=count * (cost.cpu.at(calls / count) + others),
            gigabytes=(count * cost.memory.fixed + calls * cost.memory.each) / 1000,
            cores_asked=count * pod.cores,
            gigabytes_asked=count * pod.mebibytes * MIB / 1e9,
            peers=others,
        )
    return found


def pods_for(cost: Cost, pod: Pod, calls: int) -> int:
    """As many as the autoscalers would have."""
    count = max(FEWEST, math.ceil(calls * cost.jobs / (TARGET * pod.capacity)))
    most = PROCESSOR_TARGET * pod.cores
    if cost.cpu.at(calls / count) <= most:
        return count
    return max(count, math.ceil(calls / cost.cpu.calls(most)))


def used_workers(spent: Mapping[str, Cost], replicas: Mapping[str, int], calls: int) -> float:
    """How many workers one gateway has jobs with at a moment, on average."""
    mine = calls / replicas["gateway"]
    return sum(used_by(replicas[name], mine * spent[name].jobs) for name in SERVICES[1:])


def used_by(workers: int, jobs: float) -> float:
    """Of so many workers, those that have one or more of so many jobs, given out at random."""
    return workers * (1 - (1 - 1 / workers) ** jobs) if workers > 1 else min(jobs, 1.0)
