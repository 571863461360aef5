"""`parley replay`: a recorded conversation, event by event."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from parley.records import Event
from parley_cli.errors import Failure
from parley_cli.operator import connected
from parley_cli.plain import plain
from parley_cli.records import Records
from parley_cli.story import Moment, clock, document, moments, title

WHO_WIDTH = 9


@dataclass(frozen=True)
class Pace:
    """How it is told: all at once; `speed` times as fast as it was; or at each Enter."""

    speed: float | None = None
    step: bool = False


async def read(nats_url: str | None, conversation_id: str) -> list[Event]:
    """The conversation's events. Raises Failure where there are none."""
    async with connected(nats_url) as operator:
        events = await Records(operator.bus).conversation(conversation_id)
    if not events:
        raise Failure(f"no such conversation, or its time has run out: {conversation_id}")
    return events


def show(conversation_id: str, events: list[Event], pace: Pace, console: Console) -> None:
    """Print it, at that pace."""
    console.print(Text(plain(title(conversation_id, events))), soft_wrap=True)
    tell(moments(events), pace, lambda one: _print(one, console), _wait_enter, time.sleep)


def show_json(conversation_id: str, events: list[Event], console: Console) -> None:
    """Print it as one document."""
    console.out(json.dumps(document(conversation_id, events), ensure_ascii=False), highlight=False)


def tell(
    story: list[Moment],
    pace: Pace,
    show: Callable[[Moment], None],
    wait_enter: Callable[[], None],
    sleep: Callable[[float], None],
) -> None:
    """Show each moment in its time."""
    before = 0.0
    for number, moment in enumerate(story):
        if pace.step and number:
            wait_enter()
        elif pace.speed is not None and moment.at > before:
            sleep((moment.at - before) / pace.speed)
        before = max(before, moment.at)
        show(moment)


def _print(moment: Moment, console: Console) -> None:
    line = Text(f"{clock(moment.at):>8}  {plain(moment.who):<{WHO_WIDTH}}  ", style="dim")
    console.print(line.append(Text(plain(moment.text), moment.style)), soft_wrap=True)


def _wait_enter() -> None:
    try:
        input()
    except EOFError:
        raise Failure("--step waits for Enter: it needs a terminal") from None
