"""`python -m benchmarks.sizing`: measure, publish, and write the tables of docs/sizing.md."""

import argparse
import json
import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console

from benchmarks.report import RESULTS
from benchmarks.sizing import messages, providers, tables
from benchmarks.sizing.lab import Lab

RESULT = RESULTS / "sizing.json"
PAGE = Path("docs/sizing.md")
CLOUD = (0, 4, 16, 32)
GATEWAY = (48,)
EMBEDDED = (0, 1, 2, 4)
"""How many call at once. Hearing is left out where the gateway is to have more than it can take."""
LOWER = (16,)
WINDOWS = 2
SECONDS = 20.0
PAGE_RATE = 24_000
"""Samples a second that a browser sends and hears, unless it asks for others."""
LOWER_RATE = 16_000

say = Console(stderr=True, markup=False, highlight=False).print


def main() -> None:
    """Measure, unless only the tables are wanted."""
    parser = argparse.ArgumentParser(prog="benchmarks.sizing", description=__doc__)
    parser.add_argument("--tables", action="store_true", help="only write the tables")
    parser.add_argument("--quick", action="store_true", help="try it: nothing is written")
    arguments = parser.parse_args()
    if not arguments.tables:
        result = uvloop.run(_measure(quick=arguments.quick))
        if arguments.quick:
            print(json.dumps(result, indent=1))
            return
        RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    result = json.loads(RESULT.read_text(encoding="utf-8"))
    PAGE.write_text(tables.filled(PAGE.read_text(encoding="utf-8"), result), encoding="utf-8")
    Console(soft_wrap=True).print(tables.services(result))
    say(f"-> {RESULT}, {PAGE}")


async def _measure(*, quick: bool) -> dict[str, Any]:
    seconds, windows = (10.0, 1) if quick else (SECONDS, WINDOWS)
    profiles: dict[str, Any] = {}
    result: dict[str, Any] = {"cores": os.cpu_count(), "profiles": profiles}

    async def calls(lab: Lab, name: str, points: Sequence[int], rate: int) -> None:
        say(f"{name} ...")
        profiles[name] = await lab.calls(points[-1:] if quick else points, rate, seconds, windows)

    with providers.standing_in() as clouds, ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cloud = Lab(folder / "cloud", clouds.profile, clouds.settings)
        with cloud.engine:
            say("what processes cost each other ...")
            result["peers"] = await cloud.peers()
            await calls(cloud, "cloud", CLOUD, PAGE_RATE)
            await calls(cloud, "cloud at 16 kHz", LOWER, LOWER_RATE)
            with cloud.without_hearing():
                await calls(cloud, "cloud without hearing", GATEWAY, PAGE_RATE)
        embedded = Lab(folder / "embedded", {}, {})
        with embedded.engine:
            await calls(embedded, "embedded", EMBEDDED, PAGE_RATE)
        say("messages ...")
        result["messages"] = await messages.measure(folder / "messages")
    return result


if __name__ == "__main__":
    main()
