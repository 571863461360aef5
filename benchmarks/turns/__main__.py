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
from benchmarks.turns.rounds import combined, pooled
from benchmarks.turns.running import Run, run
from benchmarks.turns_hearing import vad_core_share_per_call

ROUNDS = 3
"""So often all cases are run: a case or two are good in one round and not in the next."""
PART = Path("build/turns/part")
"""Where the results of a part of it all go: they do not take the place of those of all."""


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
    whole = not (arguments.quick or arguments.only or arguments.rounds)
    numbers = range(1, (arguments.rounds or (ROUNDS if whole else 1)) + 1)
    rounds: list[list[Run]] = []
    for transcriber in agents.TRANSCRIBERS:
        rounds.append([])
        for number in numbers:
            say(f"{transcriber}, round {number} of {numbers[-1]} ...")
            with tempfile.TemporaryDirectory() as folder:
                rounds[-1].append(asyncio.run(run(Path(folder), cases, transcriber, say)))
            load.append(_load())
            for line in page.wrong(rounds[-1][-1]):
                say(f"WRONG: {line}")
    say("what hearing costs ...")
    result = _result(rounds, arguments, load)
    result["taken"]["minutes"] = round((time.monotonic() - began) / 60, 1)
    _publish(result, rounds, arguments.out or (RESULTS if whole else PART))
    for name, value in result.items():
        if name != "per_transcriber":
            say(f"{name:42} {value}")


def _publish(result: Figures, rounds: list[list[Run]], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "turns.json").write_text(json.dumps(result, indent=2) + "\n")
    (folder / "turns.md").write_text(page.page(result, rounds))
    plot.draw([pooled(one) for one in rounds], folder / "turns.png")


def _result(rounds: list[list[Run]], arguments: argparse.Namespace, load: list[float]) -> Figures:
    count = len(rounds[0])
    hearing = [vad_core_share_per_call()["vad_core_share_per_call"] for _ in range(count)]
    each = {
        runs[0].transcriber: combined(
            [
                {**figures(one), "vad_core_share_per_call": round(share, 5)}
                for one, share in zip(runs, hearing, strict=True)
            ]
        )
        for runs in rounds
    }
    taken = {
        "commit": _commit(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "date": time.strftime("%Y-%m-%d"),
        "seed": arguments.seed,
        "quick": arguments.quick,
        "rounds": count,
        "load_before": load[0],
        "load_after_calls": load[-1],
    }
    return {**each[rounds[0][0].transcriber], "per_transcriber": each, "taken": taken}


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
    parser.add_argument("--rounds", type=int, help=f"of all cases; default {ROUNDS}, of a part 1")
    parser.add_argument("--out", type=Path, help="folder of the results")
    return parser.parse_args()


def _kinds(text: str) -> list[Kind]:
    try:
        return [Kind(name) for name in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


if __name__ == "__main__":
    main()
