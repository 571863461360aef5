"""`parley drain`: a worker or gateway takes no new work, ends what it has, and exits."""

import asyncio
import time

from nats.errors import Error as NatsError
from rich.console import Console
from rich.text import Text

from parley.bus import NoResponders
from parley.messages import WorkerStatus
from parley.operating import Drain, GatewayStatus
from parley_cli.errors import Failure, Usage
from parley_cli.fleet import SILENT_SECONDS, id_of
from parley_cli.operator import Operator, connected
from parley_cli.plain import plain

LOOK_SECONDS = 0.2


async def drain(nats_url: str | None, process_id: str, timeout: float, console: Console) -> None:
    """Have it drain, and say how that goes until it is gone. Raises Failure."""
    async with connected(nats_url) as operator:
        await operator.listen()
        began = time.monotonic()
        status = await _tell(operator, process_id)
        where = plain(status.host)
        console.print(Text(f"{process_id} on {where}: {work(status)}"), soft_wrap=True)
        if others_missing(operator, status):
            console.print(f"nobody else does its work: {consequence(status)}", style="yellow")
        await _follow(operator, status, began + timeout, console)
        seconds = time.monotonic() - began
        how = "gone" if process_id in operator.fleet.left else "silent: it may have been killed"
        console.print(f"{process_id}: {how}, after {seconds:.1f} s", highlight=False)


async def _tell(operator: Operator, process_id: str) -> WorkerStatus | GatewayStatus:
    try:
        answer = await operator.order(process_id, Drain())
    except ValueError as error:
        raise Usage(str(error)) from None
    except NoResponders:
        there = ", ".join(plain(one.id) for one in operator.fleet.everyone) or "none"
        raise Failure(f"no worker or gateway {process_id}. There are: {there}") from None
    except (NatsError, OSError):
        raise Failure(
            f"{process_id} does not answer: it is frozen, or this user may not give orders"
        ) from None
    if not isinstance(answer, WorkerStatus | GatewayStatus):
        raise Failure(f"{process_id} gave an answer that is not understood")
    return answer


async def _follow(
    operator: Operator, first: WorkerStatus | GatewayStatus, deadline: float, console: Console
) -> None:
    """Print how much it still has to do, each time that changes, until it is gone."""
    process_id, shown = id_of(first), first.running
    while process_id not in operator.fleet.left:
        seen = operator.fleet.find(process_id)
        if seen is None or seen.ago > SILENT_SECONDS:
            return
        if seen.status.running != shown:
            shown = seen.status.running
            console.print(f"{process_id}: {work(seen.status)}", highlight=False)
        if time.monotonic() > deadline:
            raise Failure(f"{process_id} still drains, with {work(seen.status)}; it goes on")
        await asyncio.sleep(LOOK_SECONDS)


# --- Pure


def work(status: WorkerStatus | GatewayStatus) -> str:
    """What it has to do: `2 jobs`, `1 call`."""
    kind = "job" if isinstance(status, WorkerStatus) else "call"
    return f"{status.running} {kind}{'' if status.running == 1 else 's'}"


def others_missing(operator: Operator, status: WorkerStatus | GatewayStatus) -> bool:
    """Whether no other one of its kind is ready."""
    fleet, mine = operator.fleet, id_of(status)
    if isinstance(status, GatewayStatus):
        return not any(one.state == "ready" and one.id != mine for one in fleet.gateways)
    return not any(
        one.state == "ready" and one.id != mine and one.status.stage == status.stage
        for one in fleet.workers
    )


def consequence(status: WorkerStatus | GatewayStatus) -> str:
    """What is missing without it."""
    if isinstance(status, GatewayStatus):
        return "no calls are taken until another gateway is up"
    return f"calls wait until another {status.stage} worker is up"
