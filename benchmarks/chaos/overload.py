"""More callers than lines: who is let in talks undisturbed, the others are told so at once."""

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from benchmarks.chaos.lane import SETTINGS
from benchmarks.chaos.series import Say
from parley_cli.call import CallEnded, CallRefused, Options, connect
from support.engine import FIVE_SENTENCES, Engine, reciting

Bound = Literal["gateway", "stt"]

WORKERS = 2
LINES = 20
"""Calls at once that the engine under test takes."""
CALM = 0.8
CROWDED = 1.5
WAVES = 4
"""How often those who are too many ring while the lines are taken."""
WAVE_SECONDS = 2.0
ARRIVAL_SECONDS = 0.05
"""The time between two callers of a wave. At first, all ring in the same moment."""
PATIENCE = 60.0
AGENT = "long"
UNDERRUNS = 'parley_playout_underruns_total{where="segment"}'


@dataclass
class Crowd:
    """What callers noticed."""

    answered: int = 0
    failed: list[str] = field(default_factory=list)
    """Why calls that were taken did not come to their end."""
    refused_ms: list[float] = field(default_factory=list)
    """How long those who rang while the lines were taken waited for the refusal."""
    rushed_ms: list[float] = field(default_factory=list)
    """The same of those who rang in the first moment, when all did."""
    reasons: list[str] = field(default_factory=list)
    without_retry: int = 0
    """Refusals that did not say when to try again."""
    underruns: float = 0.0
    """How often the engine had no sound for an ear that waited, within a sentence."""


async def crowd(folder: Path, share: float, lines: int, bound: Bound, say: Say) -> Crowd:
    """Have `share` times as many callers as there are lines ring, and note what they notice.

    `bound` is whose capacity ends there: the gateway's, or that of the two transcribers.
    """
    bounds = {
        "gateway": {"PARLEY_MAX_CONVERSATIONS": str(lines)},
        "stt": {"PARLEY_CAPACITY": str(lines // WORKERS)},
    }
    # All callers say their first words at once: no other stage may be the bound.
    enough = {"agent": {**SETTINGS["agent"], "PARLEY_CAPACITY": str(lines)}}
    engine = Engine(
        folder,
        {AGENT: reciting(FIVE_SENTENCES)},
        workers=WORKERS,
        settings={**enough, bound: bounds[bound]},
    )
    await asyncio.to_thread(engine.__enter__)
    try:
        found = await _ring(engine, round(lines * share), lines)
    finally:
        await asyncio.to_thread(engine.stop)
    say(
        f"{round(lines * share)} callers on {lines} lines of {bound}: {found.answered} answered, "
        f"{len(found.failed)} failed, {len(found.rushed_ms) + len(found.refused_ms)} refused, "
        f"{found.underruns:.0f} underruns"
    )
    for reason in sorted({*found.failed, *found.reasons}):
        say(f"  {reason}")
    return found


async def _ring(engine: Engine, callers: int, lines: int) -> Crowd:
    """All ring at once; while the lines are taken, who is too many rings again and again."""
    found = Crowd()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(callers):
            tasks.create_task(_call(engine.url, found, found.rushed_ms))
        for _ in range(WAVES if callers > lines else 0):
            await asyncio.sleep(WAVE_SECONDS)
            for _ in range(callers - lines):
                tasks.create_task(_call(engine.url, found, found.refused_ms))
                await asyncio.sleep(ARRIVAL_SECONDS)
    found.underruns = await asyncio.to_thread(engine.service("gateway").metric, UNDERRUNS)
    return found


async def _call(url: str, found: Crowd, refused_ms: list[float]) -> None:
    rang = time.monotonic()
    try:
        async with connect(url, Options(agent=AGENT, reconnect=False, record=False)) as call:
            await call.text("Tell me about the museum.")
            await call.wait_for("spoken", turn=1, timeout=PATIENCE, cut_off=False)
            found.answered += 1
            await call.end()
    except CallRefused as refusal:
        refused_ms.append((time.monotonic() - rang) * 1000)
        found.reasons.append(f"{refusal.code}: {refusal}")
        found.without_retry += not refusal.retry_after
    except (CallEnded, TimeoutError) as error:
        found.failed.append(f"{type(error).__name__}: {error}")
