"""`make bench-turns`: how well turns are taken, written to benchmarks/results/turns.*."""

import argparse
import asyncio
import json
import os
import platform
import subprocess
import tempfile
import time
from pathlib import Path

from rich.console import Console

from benchmarks.report import RESULTS
from benchmarks.turns import agents, corpus, page, plot
from benchmarks.turns.cases import Kind
from benchmarks.turns.figures import Figures, figures
from benchmarks.turns.running import Run, run
from benchmarks.turns_hearing import vad_core_share_per_call

PART = Path("build/turns/part")
"""Where the results of a part of the cases go: they do not take the place of those of all."""


def main() -> None:
    """Make the cases, run them with each transcriber, and publish."""
    arguments = _arguments()
    say = Console(stderr=True, soft_wrap=True, markup=False, highlight=False).print
    began, load = time.monotonic(), [_load()]
    say("making the cases ...")
    cases = [
        case
        for case in corpus.build(arguments.seed, arguments.quick)
        if not arguments.only or case.kind in arguments.only
    ]
    say(f"{len(cases)} cases after {time.monotonic() - began:.0f} s")
    runs: list[Run] = []
    for transcriber in agents.TRANSCRIBERS:
        with tempfile.TemporaryDirectory() as folder:
            runs.append(asyncio.run(run(Path(folder), cases, transcriber, say)))
        load.append(_load())
    say("what hearing costs ...")
    result = _result(runs, arguments, load)
    result["taken"]["minutes"] = round((time.monotonic() - began) / 60, 1)
    whole = not (arguments.quick or arguments.only)
    _publish(result, runs, arguments.out or (RESULTS if whole else PART))
    for line in [line for one in runs for line in page.wrong(one)]:
        say(f"WRONG: {line}")
    for name, value in result.items():
        if name != "per_transcriber":
            say(f"{name:42} {value}")


def _publish(result: Figures, runs: list[Run], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "turns.json").write_text(json.dumps(result, indent=2) + "\n")
    (folder / "turns.md").write_text(page.page(result, runs))
    plot.draw(runs, folder / "turns.png")


def _result(runs: list[Run], arguments: argparse.Namespace, load: list[float]) -> Figures:
    hearing = vad_core_share_per_call()
    share = round(hearing["vad_core_share_per_call"], 5)
    each = {one.transcriber: {**figures(one), "vad_core_share_per_call": share} for one in runs}
    taken = {
        "commit": _commit(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "date": time.strftime("%Y-%m-%d"),
        "seed": arguments.seed,
        "quick": arguments.quick,
        "load_before": load[0],
        "load_after_calls": load[-1],
    }
    return {**each[runs[0].transcriber], "per_transcriber": each, "taken": taken}


def _load() -> float:
    """Of the machine, over the last minute, by itself and by others."""
    return round(os.getloadavg()[0], 2)


def _commit() -> str:
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.turns", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of moments, levels and pauses")
    parser.add_argument("--quick", action="store_true", help="every fifth case")
    parser.add_argument("--only", type=_kinds, default=[], help=", ".join(Kind))
    parser.add_argument("--out", type=Path, help="folder of the results")
    return parser.parse_args()


def _kinds(text: str) -> list[Kind]:
    try:
        return [Kind(name) for name in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


if __name__ == "__main__":
    main()
