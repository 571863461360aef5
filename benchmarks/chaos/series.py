"""Many runs, one after another in each lane; what went wrong is kept with the services' logs."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.chaos import books, ear
from benchmarks.chaos.books import Quiet
from benchmarks.chaos.lane import Lane, Outcome
from benchmarks.chaos.plan import Plan
from parley_cli import wav
from support import listener

LISTENED_TO = 10
"""Of so many runs, the recording of one is given to an independent recogniser."""
SILENCE_AFTER_MS = (0, 700, 1300)
"""Now and then the recogniser stutters. What is really doubled is so with any silence after it."""

Say = Callable[[str], None]


@dataclass
class Series:
    """What came of the runs of one part."""

    outcomes: list[Outcome] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)
    """What services still held at the end."""
    failures: list[str] = field(default_factory=list)
    """Services that died of themselves, and errors that they logged."""

    @property
    def wrong(self) -> list[Outcome]:
        """The runs that did not go well."""
        return [one for one in self.outcomes if not one.well]


async def run(
    lanes: Sequence[Lane], quiet: dict[bool, Quiet], plans: Sequence[Plan], folder: Path, say: Say
) -> Series:
    """Carry out the plans, as many at once as there are lanes. `folder` gets what went wrong."""
    series = Series()
    for first in range(0, len(plans), len(lanes)):
        batch = list(zip(lanes, plans[first : first + len(lanes)], strict=False))
        marks = [_log_sizes(lane) for lane, _ in batch]
        outcomes = await asyncio.gather(*(lane.run(plan, quiet) for lane, plan in batch))
        for (lane, plan), outcome, mark in zip(batch, outcomes, marks, strict=True):
            if plan.number % LISTENED_TO == 0 or not outcome.well:
                await asyncio.to_thread(_listen, outcome)
            say(str(outcome))
            if not outcome.well:
                _keep(outcome, lane, mark, folder / f"{plan.part}-{plan.number}")
        series.outcomes += outcomes
        for died in await asyncio.gather(*(lane.mend() for lane, _ in batch)):
            series.failures += died
    for lane in lanes:
        series.left_over += await lane.left_over()
        series.failures += await asyncio.to_thread(_logged_errors, lane)
    for finding in series.left_over + series.failures:
        say(finding)
    return series


def _listen(outcome: Outcome) -> None:
    take = outcome.take
    if outcome.lost:
        return
    parts = ear.answers(take)
    for end_ms in SILENCE_AFTER_MS:
        silence = np.zeros(take.sample_rate * end_ms // 1000, np.int16)
        heard = " ".join(
            listener.listen(np.concatenate([part, silence]).tobytes(), take.sample_rate)
            for part in parts
        )
        if not (finding := books.check_ear(take, heard)):
            return
    outcome.books.findings.append(finding)


def _logged_errors(lane: Lane) -> list[str]:
    """What no service should have to say, whatever happens around it; each thing once."""
    found: dict[str, str] = {}
    for log in lane.engine.folder.glob("*.log"):
        for line in log.read_text().splitlines():
            if '"level": "error"' in line or line.startswith("Traceback"):
                found.setdefault(_gist(line), f"{log.stem} logged: {line[:1000]}")
    return list(found.values())


def _gist(line: str) -> str:
    """What tells an error from others of its kind."""
    try:
        fields = json.loads(line)
    except ValueError:
        return line
    return f"{fields.get('logger')} {fields.get('event')} {fields.get('reason')}"


def _log_sizes(lane: Lane) -> dict[Path, int]:
    return {one.log: one.log.stat().st_size for one in lane.engine.services}


def _keep(outcome: Outcome, lane: Lane, begun: dict[Path, int], folder: Path) -> None:
    """Keep all that tells what went wrong: the verdict, events, sound, and the services' logs."""
    folder.mkdir(parents=True, exist_ok=True)
    take = outcome.take
    lines = [str(outcome), f"hit at {outcome.injury.at - take.started_at:.3f} s", ""]
    lines += [
        f"{one.at - take.started_at:8.3f} {json.dumps(dict(one.data))}" for one in take.events
    ]
    (folder / "run.txt").write_text("\n".join(lines) + "\n")
    if len(take.bot_audio):
        wav.write_stereo(folder / "call.wav", take.caller_audio, take.bot_audio, take.sample_rate)
    for service in lane.engine.services:
        text = service.log.read_bytes()[begun.get(service.log, 0) :]
        (folder / service.log.name).write_bytes(text)
