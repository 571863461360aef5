"""What is done to the engine: processes killed and frozen, NATS restarted."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.chaos.plan import Action, Plan
from benchmarks.chaos.script import Talk
from support.engine import Broker, Engine
from support.faultproxy import FaultProxy
from support.nats import NatsCluster
from support.service_process import ServiceProcess

AFTERMATH = 1.5
"""How long (s) the call goes on after what was frozen is awake: for the harm that it may do."""
SLOW_SECONDS = 0.25
"""What a slow line adds, each way."""
STREAM = "KV_parley_calls"
"""Where gateways keep their calls: the stream whose leader is killed."""


@dataclass
class Site:
    """Where faults strike: an engine, and the lines of its services to NATS, if they can be cut."""

    engine: Engine
    lines: Mapping[str, FaultProxy] = field(default_factory=dict)
    """By the address under which a service knows NATS."""


@dataclass
class Injury:
    """What was done in a run."""

    plan: Plan
    at: float = 0.0
    """When (s of time.monotonic) the fault hit; 0 if it did not come to that."""
    victims: str = ""
    busy: bool = False
    """Whether what was hit held a job of the call in that moment."""


async def strike(site: Site, plan: Plan, injury: Injury, talk: Talk) -> None:
    """Wait for the moment, do what is planned, and return when the engine is left alone again."""
    await talk.begins(plan.phase)
    await asyncio.sleep(plan.offset)
    match plan.action:
        case Action.KILL if plan.target == "leader":
            await _kill_leader(site, injury)
        case Action.KILL:
            await _kill(site, plan, injury)
        case Action.FREEZE:
            await _freeze(site, plan, injury)
        case Action.RESTART:
            await _restart(site, injury)
        case Action.CUT_OFF | Action.SLOW_DOWN:
            await _spoil_line(site, plan, injury)


async def _kill(site: Site, plan: Plan, injury: Injury) -> None:
    victim = await _victim(site, plan, injury)
    await asyncio.to_thread(victim.kill)


async def _freeze(site: Site, plan: Plan, injury: Injury) -> None:
    victim = await _victim(site, plan, injury)
    victim.freeze()
    try:
        await asyncio.sleep(plan.asleep)
    finally:
        victim.thaw()
    await asyncio.sleep(AFTERMATH)


async def _spoil_line(site: Site, plan: Plan, injury: Injury) -> None:
    """Nothing passes between a service and NATS, or all of it late; and then it does again."""
    victim = await _victim(site, plan, injury)
    line = site.lines[victim.env["PARLEY_NATS_URL"]]
    if plan.action is Action.CUT_OFF:
        line.mode = "blackhole"
    else:
        line.latency = SLOW_SECONDS
    try:
        await asyncio.sleep(plan.asleep)
    finally:
        line.mode, line.latency = "pass", 0.0
    await asyncio.sleep(AFTERMATH)


async def _kill_leader(site: Site, injury: Injury) -> None:
    """The member that leads the stream of the calls. It is started again by who mends."""
    nats = site.engine.nats
    if not isinstance(nats, NatsCluster):
        raise TypeError("only a cluster has a leader")
    injury.at, injury.busy = time.monotonic(), True
    leader = await asyncio.to_thread(nats.kill_stream_leader, STREAM)
    injury.victims = leader.name


async def _restart(site: Site, injury: Injury) -> None:
    injury.at, injury.busy, injury.victims = time.monotonic(), True, "nats"
    await asyncio.to_thread(_bounce, site.engine.nats)


def _bounce(nats: Broker) -> None:
    nats.stop()
    nats.start()


async def _victim(site: Site, plan: Plan, injury: Injury) -> ServiceProcess:
    """Who holds the call's job of that stage now; if nobody does, who was started last."""
    busy = await asyncio.to_thread(site.engine.busy, plan.target)
    victim = busy[0] if busy else site.engine.service(plan.target)
    injury.at, injury.busy, injury.victims = time.monotonic(), bool(busy), victim.log.stem
    return victim
