"""The operators' commands and their options. What they do is in the modules they call."""

import asyncio
import sys
from typing import Annotated

import typer
from rich.console import Console

from parley_cli import calls as of_calls
from parley_cli import replay as of_replay
from parley_cli.drain import drain as run_drain
from parley_cli.errors import Usage
from parley_cli.top import top as run_top

app = typer.Typer()
# Whoever reads from a pipe gets whole lines.
console = Console(width=None if sys.stdout.isatty() else 200)

NatsUrl = Annotated[
    str | None, typer.Option(envvar="PARLEY_NATS_URL", help="Where NATS is: nats://HOST:4222.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@app.command()
def top(
    nats_url: NatsUrl = None,
    once: Annotated[bool, typer.Option("--once", help="Look once, and end.")] = False,
    as_json: Json = False,
) -> None:
    """Watch live calls, stages, workers, latency and NATS; Ctrl-C ends it."""
    asyncio.run(run_top(nats_url, once=once, as_json=as_json, console=console))


@app.command()
def drain(
    worker: Annotated[str, typer.Argument(help="A worker's or gateway's id: see parley top.")],
    nats_url: NatsUrl = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait for its end.")] = 300.0,
) -> None:
    """Have a worker or gateway take no new work, end or hand over what it has, and exit."""
    asyncio.run(run_drain(nats_url, worker, timeout, console))


@app.command()
def calls(
    nats_url: NatsUrl = None,
    state: Annotated[str, typer.Option(help="live, ended or all.")] = "all",
    agent: Annotated[str | None, typer.Option(help="Only this agent's.")] = None,
    hours: Annotated[float, typer.Option(min=0, help="Only of the last HOURS.")] = 24.0,
    limit: Annotated[int, typer.Option(min=1, help="So many at most.")] = 20,
    as_json: Json = False,
) -> None:
    """List calls, the newest first: live ones, and ended ones where records are kept."""
    if state not in ("live", "ended", "all"):
        raise Usage(f"--state is live, ended or all, not {state!r}")
    wanted = of_calls.Wanted(state, agent, hours, limit)
    asyncio.run(of_calls.calls(nats_url, wanted, as_json=as_json, console=console))


@app.command()
def replay(
    conversation: Annotated[str, typer.Argument(help="The conversation's id.")],
    nats_url: NatsUrl = None,
    speed: Annotated[
        float | None, typer.Option(min=0.01, help="In its own time: 1 as it was, 10 faster.")
    ] = None,
    step: Annotated[bool, typer.Option("--step", help="One event at each Enter.")] = False,
    as_json: Json = False,
) -> None:
    """Walk through a recorded conversation: who said what when, interruptions, failovers, tools."""
    events = asyncio.run(of_replay.read(nats_url, conversation))
    if as_json:
        of_replay.show_json(conversation, events, console)
    else:
        of_replay.show(conversation, events, of_replay.Pace(speed, step), console)
