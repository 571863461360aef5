"""All cases through one engine, in real time."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.turns import agents
from benchmarks.turns.caller import make_all
from benchmarks.turns.cases import Case, Kind
from benchmarks.turns.observed import Observation, Reply, Session
from support import listener
from support.engine import Engine

CASES_A_CALL = 12
LANES = 2
"""Calls at once. The language model is only ever asked in a call that has the machine to itself."""
USED = 'parley_early_replies_total{outcome="used"}'
DROPPED = 'parley_early_replies_total{outcome="dropped"}'
GAIN = "parley_early_reply_gain_seconds"
Say = Callable[[str], None]


@dataclass
class EarlyReplies:
    """Replies begun before the end of the turn was certain, as the gateway counts them."""

    used: int = 0
    dropped: int = 0
    gained_ms: float = 0.0
    """In all, over those that were used."""


@dataclass
class Run:
    """What came of all calls with one transcriber."""

    transcriber: str
    observations: list[Observation] = field(default_factory=list)
    resumed: list[Reply] = field(default_factory=list)
    early: EarlyReplies = field(default_factory=EarlyReplies)


async def run(folder: Path, cases: Sequence[Case], transcriber: str, say: Say) -> Run:
    """Start an engine, make all cases, and have the replies recognised once it is quiet."""
    engine = Engine(folder, agents.profiles([transcriber]))
    await asyncio.to_thread(engine.__enter__)
    try:
        done = Run(transcriber)
        alone, beside = _calls(cases)
        await _lane(engine, transcriber, alone, done, say)
        await asyncio.gather(*(_lane(engine, transcriber, beside, done, say) for _ in range(LANES)))
        done.early = await asyncio.to_thread(_early_replies, engine)
    finally:
        await asyncio.to_thread(engine.stop)
    say("listening to what was heard of the replies ...")
    return await asyncio.to_thread(_listened_to, done)


def _calls(cases: Sequence[Case]) -> tuple[list[list[Case]], list[list[Case]]]:
    """The cases of each call: those of calls that are made alone, and the others."""
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        groups[f"{case.kind} {agents.agent_for(case, '')}"].append(case)
    alone: list[list[Case]] = []
    beside: list[list[Case]] = []
    for group in groups.values():
        for first in range(0, len(group), CASES_A_CALL):
            part = group[first : first + CASES_A_CALL]
            (alone if part[0].kind is Kind.CLEAR else beside).append(part)
    return alone, beside


async def _lane(
    engine: Engine, transcriber: str, calls: list[list[Case]], done: Run, say: Say
) -> None:
    """Make one call after another until none is left."""
    while calls:
        part = calls.pop(0)
        agent = agents.agent_for(part[0], transcriber)
        say(f"{part[0].kind}: {len(part)} cases with {agent}, {len(calls)} calls to go")
        session = await make_all(engine.url, agent, part, agents.REPLY, agents.REPLY_SECONDS)
        _add(done, session)


def _add(done: Run, session: Session) -> None:
    done.observations += session.observations
    done.resumed += session.resumed


def _listened_to(done: Run) -> Run:
    """The run, with what an independent recogniser hears in the replies."""
    done.observations = [
        one if one.reply is None else one.with_reply(_heard(one.reply)) for one in done.observations
    ]
    done.resumed = [_heard(one) for one in done.resumed]
    return done


def _heard(reply: Reply) -> Reply:
    return reply.with_heard(listener.listen(reply.audio.tobytes()))


def _early_replies(engine: Engine) -> EarlyReplies:
    gateway = engine.service("gateway")
    metrics = gateway.metrics()
    return EarlyReplies(
        used=int(metrics.get(USED, 0)),
        dropped=int(metrics.get(DROPPED, 0)),
        gained_ms=metrics.get(f"{GAIN}_sum", 0.0) * 1000,
    )
