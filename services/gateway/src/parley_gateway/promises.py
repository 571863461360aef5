"""Carries out what the built-in tools have promised, once the caller has heard the reply."""

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from parley import logs
from parley.tool_rounds import ToolRun
from parley.tools import EndCall, PlayDtmf, Tool, TransferCall
from parley_gateway.dtmf import tones
from parley_gateway.holding import Notice
from parley_gateway.prepared import Prepared
from parley_gateway.protocol import event

if TYPE_CHECKING:
    from parley_gateway.bot import Means

log = logs.get(__name__)

MAX_KEYS = 64
"""So many keys are pressed at once: a worker asks for no more."""


async def keep(
    runs: Sequence[ToolRun], turn: int, means: "Means", quiet: Callable[[], bool]
) -> bool:
    """Carry out those of the calls that were promises, in order; whether the bot hangs up.

    Tones are played while it is `quiet`. Who carries the call transfers it, and presses keys.
    """
    tools: dict[str, Tool] = {tool.type: tool for tool in means.profile.tools}
    hangs_up = False
    for run in runs:
        arguments = _arguments(run)
        match tools.get(run.call.name):
            case EndCall():
                hangs_up = True
            case TransferCall(destinations=numbers):
                name = str(arguments.get("destination"))
                if number := numbers.get(name):
                    means.client.send_event(
                        event("transfer", turn=turn, destination=name, number=number)
                    )
            case PlayDtmf(tones=audible):
                digits = str(arguments.get("digits", ""))[:MAX_KEYS]
                means.client.send_event(event("dtmf", turn=turn, digits=digits))
                if audible:
                    pcm = tones(digits, means.client.format.sample_rate)
                    await Notice(means.client, Prepared("", pcm), quiet).play(means.pacer)
    return hangs_up


def _arguments(run: ToolRun) -> dict[str, Any]:
    """What the worker has found to be valid."""
    found = json.loads(run.call.arguments or "{}")
    return found if isinstance(found, dict) else {}
