"""`parley up`: the whole engine on this machine, watched and kept alive until Ctrl-C."""

import asyncio
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from pathlib import Path

from rich.console import Console
from rich.live import Live

from parley_cli import board, state
from parley_cli.engine import Engine, running
from parley_cli.plan import NATS_PORT, Plan, record_hours, specs

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def up(plan: Plan, logs: Path | None, folder: Path | None, console: Console) -> None:
    """Run the engine until SIGINT, SIGTERM or SIGHUP. Raises Failure if it cannot start.

    NATS keeps its store in `folder`, by default the one for this user and port.
    """
    folder = folder or state.default_folder(plan.port)
    async with engine(plan, logs, folder) as one, stop_signals(one) as stop:
        console.print(f"logs: {one.services[0].log.parent}", soft_wrap=True)
        if (hours := record_hours(plan)) is not None:
            text = f"what is said in calls is kept for {hours} h in {folder}"
            console.print(f"{text} (not with PARLEY_RECORD_HOURS=0)", soft_wrap=True)
        await _show(one, plan, console, stop)
        console.print("stopping")


@asynccontextmanager
async def engine(
    plan: Plan, logs: Path | None, folder: Path | None = None
) -> AsyncIterator[Engine]:
    """The engine, started, and stopped on the way out. Logs stay.

    NATS's store is in `folder` and stays as well; without one it goes.
    """
    async with AsyncExitStack() as stack:
        if folder is None:
            temporary = tempfile.TemporaryDirectory(
                prefix="parley-nats-", ignore_cleanup_errors=True
            )
            folder = Path(stack.enter_context(temporary))
        found = specs(plan, folder)
        if plan.nats_url is None:
            stack.enter_context(state.locked(folder))
        directory = logs or Path(tempfile.mkdtemp(prefix="parley-logs-"))
        directory.mkdir(parents=True, exist_ok=True)
        yield await stack.enter_async_context(running(found, directory))


@asynccontextmanager
async def stop_signals(engine: Engine) -> AsyncIterator[asyncio.Event]:
    """An event that the first signal to stop sets; the second one ends everything at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stop.is_set():
            engine.kill()
        stop.set()
        engine.changed.set()

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, on_signal)
    # The handlers stay: a signal while the engine stops must not break off its stopping.
    yield stop


async def _show(engine: Engine, plan: Plan, console: Console, stop: asyncio.Event) -> None:
    on_terminal = console.is_terminal
    changes = board.Changes(console, every_state=not on_terminal)
    announced = False
    with Live(console=console, auto_refresh=False) if on_terminal else nullcontext() as live:
        while not stop.is_set():
            changes.tell(engine.services)
            if live is not None:
                live.update(board.table(engine.services), refresh=True)
            if engine.ready and not announced:
                announced = True
                _announce(plan, engine, console)
            await engine.next_look()


def _announce(plan: Plan, engine: Engine, console: Console) -> None:
    host = "127.0.0.1" if plan.host in ("0.0.0.0", "::") else plan.host  # noqa: S104
    option = "" if plan.port == 8080 else f" --url ws://{host}:{plan.port}/conversation"
    console.print(f"ready: open http://{host}:{plan.port}/ and talk", soft_wrap=True)
    console.print(f"  or:  parley talk FILE.wav{option}", soft_wrap=True, highlight=False)
    own = [one.port for one in engine.services if one.spec.name == "nats"]
    url = plan.nats_url or f"nats://127.0.0.1:{own[0]}"
    option = "" if own == [NATS_PORT] else f" --nats-url {url}"
    console.print(f"  watch it:  parley top{option}", soft_wrap=True, highlight=False)
