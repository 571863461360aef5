"""`make chaos`: break everything, over and over, and count what callers noticed."""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from rich.console import Console

from benchmarks.chaos import parts
from benchmarks.chaos.parts import Session
from benchmarks.report import publish

KEPT = Path("build/chaos")
"""What tells of the runs that went wrong: events, sound, and logs of the services."""
LANES = 4
"""Calls at once, each on an engine of its own. Two cores bear four without being late."""

NOTES = {
    "kills": "stt, agent and tts workers killed or frozen in all phases of a turn",
    "calls_lost": "calls of all parts that did not come to their end",
    "words_lost": "words of caller and bot that a quiet call has and these have not",
    "words_doubled": "words of caller and bot that these calls have too often",
    "words_changed": "words that were recognised otherwise than in a quiet call",
    "books_not_balanced": "calls whose words, turns, history or recording do not agree",
    "gap_killed_p50_ms": "extra silence against quiet calls, of a busy worker's death",
    "gap_killed_p95_ms": "the same",
    "gap_frozen_p95_ms": "the same, of a busy worker that is frozen for 2 to 5 s",
    "gateway_resume_p95_ms": "from the gateway's death until the talk goes on elsewhere",
    "nats_restarts": "NATS killed and started again during talk",
    "leader_kills": "the leader of the calls' stream killed, in a cluster of 3",
    "partition_cuts": "a service cut off from NATS, or its line slowed down, for 2 to 5 s",
    "rolling_calls_dropped": "every service replaced while callers chat",
    "overload_refused_p95_ms": "from ringing to the refusal, while all lines are taken",
    "overload_rush_refused_p95_ms": "the same as half as many callers too many ring at once",
    "overload_of_workers_refused_p95_ms": "the same where the transcribers are the bound",
    "overload_underruns": "silences within sentences of the calls inside",
    "calm_underruns": "the same with lines to spare",
}


def main() -> int:
    """Run the parts that were asked for; 1 if anything went wrong."""
    arguments = _arguments()
    say = Console(stderr=True, soft_wrap=True, markup=False, highlight=False).print
    kept = KEPT / time.strftime("%Y%m%d-%H%M%S")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        session = Session(
            seed=arguments.seed,
            first=arguments.first,
            count=arguments.count,
            lanes=arguments.lanes,
            folder=Path(folder),
            kept=kept,
            say=say,
        )
        asyncio.run(parts.run(session, arguments.only))
    session.figures |= {"seed": session.seed, "minutes": round((time.monotonic() - began) / 60, 1)}
    if arguments.only == parts.ALL and arguments.count is None:
        publish("chaos", "Chaos", session.figures, NOTES)
    else:
        for name, value in session.figures.items():
            say(f"{name:32} {value:g}")
    for wrong in session.wrong:
        say(f"WRONG: {wrong}")
    if session.wrong:
        say(f"What tells of it is in {kept}. To make a run again: ONLY= SEED= FIRST= COUNT=1")
    return 1 if session.wrong else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of all moments and phases")
    parser.add_argument("--only", type=_parts, default=parts.ALL, help=", ".join(parts.ALL))
    parser.add_argument("--count", type=int, help="runs of each part, or calls")
    parser.add_argument("--first", type=int, default=0, help="number of the first run")
    parser.add_argument("--lanes", type=int, default=LANES, help="calls at once")
    return parser.parse_args()


def _parts(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(parts.ALL):
        raise argparse.ArgumentTypeError(f"no such part: {', '.join(sorted(unknown))}")
    return names


if __name__ == "__main__":
    raise SystemExit(main())
