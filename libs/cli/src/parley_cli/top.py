"""`parley top`: the engine as it is now, once or again and again."""

import asyncio
import json
import time

from rich.console import Console
from rich.live import Live

from parley_cli import top_view
from parley_cli.look import Look, document
from parley_cli.operator import Operator, connected

LOOK_SECONDS = 1.0


async def top(nats_url: str | None, *, once: bool, as_json: bool, console: Console) -> None:
    """Show the engine until Ctrl-C; with `once`, or where nobody watches, one time. As JSON, a
    document for each look.
    """
    async with connected(nats_url) as operator:
        await operator.listen()
        if as_json:
            await _print(operator, once=once, console=console)
        elif once or not console.is_terminal:
            console.print(top_view.view(await look(operator)))
        else:
            with Live(console=console, auto_refresh=False, screen=True) as live:
                while True:
                    seen = await look(operator)
                    live.update(top_view.view(seen, console.height), refresh=True)
                    await asyncio.sleep(LOOK_SECONDS)


async def look(operator: Operator) -> Look:
    """The engine as it is now."""
    nats, calls = await asyncio.gather(operator.nats(), operator.calls())
    return Look(nats, operator.fleet.gateways, operator.fleet.workers, calls)


async def _print(operator: Operator, *, once: bool, console: Console) -> None:
    while True:
        console.out(json.dumps(document(await look(operator), time.time())), highlight=False)
        if once:
            return
        await asyncio.sleep(LOOK_SECONDS)
