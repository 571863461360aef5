"""The parts of `make chaos`: which faults, how many, on what kind of engine."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.chaos import figures, overload, providers, rollout, series
from benchmarks.chaos.books import Quiet
from benchmarks.chaos.lane import Lane, Outcome, quiet_calls
from benchmarks.chaos.plan import Action, draw
from benchmarks.chaos.series import Say
from benchmarks.report import Figures
from support.engine import STAGES
from support.nats import NatsCluster

QUIET_ROUNDS = 2
CLUSTER_LANES = 3
KILL_MOSTLY = (Action.KILL, Action.KILL, Action.KILL, Action.FREEZE)


@dataclass
class Session:
    """What was asked for, and what came of it so far."""

    seed: int
    first: int
    """The number of the first run of each part."""
    count: int | None
    """How many runs of each part; None: as many as each part wants."""
    lanes: int
    folder: Path
    kept: Path
    say: Say
    outcomes: list[Outcome] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """What ought not to be, besides what the figures say."""
    figures: Figures = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """Runs of one kind."""

    count: int
    targets: tuple[str, ...]
    actions: tuple[Action, ...]
    figures: Callable[[Sequence[Outcome]], Figures]


SERIES = {
    "workers": Part(200, ("stt", "agent", "tts"), KILL_MOSTLY, figures.of_workers),
    "gateways": Part(50, ("gateway",), (Action.KILL,), figures.of_gateways),
    "nats": Part(20, ("nats",), (Action.RESTART,), partial(figures.of_losses, "nats", "restarts")),
    "leaders": Part(20, ("leader",), (Action.KILL,), partial(figures.of_losses, "leader", "kills")),
    "partition": Part(
        12,
        (*STAGES, "gateway"),
        (Action.CUT_OFF, Action.SLOW_DOWN),
        partial(figures.of_losses, "partition", "cuts"),
    ),
}
"""Parts whose runs are single calls with one fault each."""
TOGETHER = (("workers", "gateways", "nats"), ("leaders",), ("partition",))
"""Parts that share their lanes."""


async def run(session: Session, wanted: Sequence[str]) -> None:
    """Run the parts, and gather their figures in the session."""
    for together in TOGETHER:
        if names := [name for name in together if name in wanted]:
            async with _lanes(session, names[0]) as (lanes, quiet):
                for name in names:
                    await _series(session, name, lanes, quiet)
    for name, part in OTHERS.items():
        if name in wanted:
            session.say(f"== {name}")
            await part(session)
    session.figures |= figures.of_words(session.outcomes)


async def _series(
    session: Session, name: str, lanes: Sequence[Lane], quiet: dict[bool, Quiet]
) -> None:
    part = SERIES[name]
    session.say(f"== {name}")
    numbers = range(session.first, session.first + (session.count or part.count))
    plans = [draw(session.seed, name, number, part.targets, part.actions) for number in numbers]
    done = await series.run(lanes, quiet, plans, session.kept, session.say)
    session.outcomes += done.outcomes
    session.wrong += [str(one) for one in done.wrong] + done.left_over + done.failures
    session.figures |= part.figures(done.outcomes)
    session.figures[f"{name}_left_over"] = len(done.left_over)
    session.figures[f"{name}_errors_logged"] = len(done.failures)


@asynccontextmanager
async def _lanes(
    session: Session, name: str
) -> AsyncIterator[tuple[list[Lane], dict[bool, Quiet]]]:
    """Lanes that are warm, and what is quiet in them."""
    async with AsyncExitStack() as stack:
        lanes = []
        for number in range(CLUSTER_LANES if name == "leaders" else session.lanes):
            session.say(f"starting engine {number + 1} for: {name}")
            lanes.append(await stack.enter_async_context(_lane(session, name, number)))
        quiet = await quiet_calls(lanes, QUIET_ROUNDS)
        await asyncio.gather(*(lane.note_idle() for lane in lanes))
        for cut_short, measure in quiet.items():
            script = "with a barge-in" if cut_short else "without"
            session.say(f"quiet, {script}: {measure.waiting_ms:.0f} ms of waiting for answers")
        yield lanes, quiet


def _lane(session: Session, name: str, number: int) -> Lane:
    folder = session.folder / f"{name}-{number}"
    if name == "leaders":
        replicas = {"gateway": {"PARLEY_JETSTREAM_REPLICAS": "3"}}
        return Lane(folder, nats=NatsCluster(), settings=replicas)
    return Lane(folder, divided=name == "partition")


async def _rollout(session: Session) -> None:
    calls = session.count or rollout.CALLS
    folder = session.folder / "rollout"
    done = await rollout.roll(folder, session.seed, calls, session.say)
    session.wrong += done.wrong
    session.figures |= {
        "rolling_calls": calls,
        "rolling_restarts": done.restarts,
        "rolling_calls_dropped": done.dropped,
        "rolling_words_lost": done.difference.lost,
        "rolling_words_doubled": done.difference.doubled,
    }


async def _overload(session: Session) -> None:
    lines = session.count or overload.LINES

    async def crowd(share: float, bound: overload.Bound) -> overload.Crowd:
        folder = session.folder / f"overload-{share}-{bound}"
        return await overload.crowd(folder, share, lines, bound, session.say)

    calm = await crowd(overload.CALM, "gateway")
    crowded = await crowd(overload.CROWDED, "gateway")
    of_workers = await crowd(overload.CROWDED, "stt")
    for one in (calm, crowded, of_workers):
        session.wrong += one.failed
        if one.answered > lines:
            session.wrong.append(f"{one.answered} calls were taken on {lines} lines")
    session.figures |= {
        "overload_lines": lines,
        "overload_answered": crowded.answered,
        "overload_failed": sum(len(one.failed) for one in (calm, crowded, of_workers)),
        "overload_refused": len(crowded.refused_ms) + len(crowded.rushed_ms),
        "overload_refused_without_retry": crowded.without_retry + of_workers.without_retry,
        "overload_refused_p95_ms": figures.percentile(crowded.refused_ms, 95),
        "overload_rush_refused_p95_ms": figures.percentile(crowded.rushed_ms, 95),
        "overload_of_workers_refused_p95_ms": figures.percentile(of_workers.refused_ms, 95),
        "overload_underruns": crowded.underruns,
        "calm_underruns": calm.underruns,
    }


async def _providers(session: Session) -> None:
    done = await providers.fail(session.folder / "providers", session.lanes)
    session.wrong += done.wrong
    for name, gap in done.gaps_ms.items():
        session.say(f"a model that {name}: gap {gap:.0f} ms")
    session.figures |= {
        "provider_failures": len(done.takes),
        "provider_calls_lost": sum(bool(take.lost) for take in done.takes.values()),
        "provider_gap_max_ms": max(done.gaps_ms.values(), default=0.0),
        "provider_healed": done.healed,
    }


OTHERS: dict[str, Callable[[Session], Awaitable[None]]] = {
    "rollout": _rollout,
    "overload": _overload,
    "providers": _providers,
}
ALL = [*SERIES, *OTHERS]
