"""`parley demo`: starts the engine, lets a recorded person call it, and stops it again."""

from pathlib import Path

from rich.console import Console
from rich.status import Status

from parley_cli import ports, recording
from parley_cli.call import Options
from parley_cli.engine import Engine
from parley_cli.plan import Plan
from parley_cli.script import BargeIn, Script
from parley_cli.talk import talk
from parley_cli.up import engine

LOADING_SECONDS = 120.0
RATE = 16_000
BARGE_IN_AFTER = 1.0


async def demo(out: Path, agents: Path | None, console: Console) -> None:
    """Run the demo; the conversation is saved to `out`. Raises Failure."""
    script = Script(
        speech=recording.read(recording.OPENER, RATE),
        barge_ins=[BargeIn(recording.read(recording.BARGE_IN, RATE), BARGE_IN_AFTER)],
    )
    plan = Plan(port=ports.free(), agents=agents)
    async with engine(plan, logs=None) as running:
        with console.status("starting") as status:
            await _until_ready(running, status)
        console.print("A recorded person calls, and cuts in on the first reply.", style="dim")
        url = f"ws://127.0.0.1:{plan.port}/conversation"
        await talk(url, Options(sample_rate=RATE), script, out, console)
        console.print("stopping", style="dim")


async def _until_ready(engine: Engine, status: Status) -> None:
    def show() -> None:
        states = (f"{one.spec.name} {one.state}" for one in engine.services)
        status.update(", ".join(states))

    await engine.wait_ready(LOADING_SECONDS, show)
