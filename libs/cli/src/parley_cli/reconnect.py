"""Going on with a call when its connection is lost: whom to ask, how often and for how long."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import NamedTuple

from parley_cli.connection import Connection
from parley_cli.dial import CallRefused

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
ATTEMPT_SECONDS = 8.0
"""How long one server may take to answer: it looks for workers for 5 s."""


class Reconnect(NamedTuple):
    """A time (s) without a connection."""

    lost_at: float
    ready_at: float


def pauses() -> Iterator[float]:
    """Seconds to wait after each round of attempts; no two callers wait alike."""
    longest = FIRST_PAUSE
    while True:
        yield longest * random.uniform(0.5, 1.0)
        longest = min(2 * longest, LONGEST_PAUSE)


def others_first(addresses: Sequence[str], lost: str) -> list[str]:
    """The addresses to ask when the connection to `lost` is gone: the next one first."""
    next_one = addresses.index(lost) + 1
    return [*addresses[next_one:], *addresses[:next_one]]


async def reconnect(
    addresses: Sequence[str], attempt: Callable[[str, float], Awaitable[Connection]], seconds: float
) -> Connection:
    """Try `attempt(address, timeout)`, from now on and for `seconds`, until one succeeds.

    Raises CallRefused: a refusal that will not pass, or `lost` when the time is over.
    """
    deadline = time.monotonic() + seconds
    for pause in pauses():
        wanted = pause
        for address in addresses:
            left = deadline - time.monotonic()
            try:
                return await attempt(address, min(ATTEMPT_SECONDS, max(left, FIRST_PAUSE)))
            except CallRefused as refusal:
                if not refusal.passing:
                    raise
                wanted = max(wanted, refusal.retry_after)
        if time.monotonic() + wanted > deadline:
            break
        await asyncio.sleep(wanted)
    raise CallRefused("lost", f"the connection was lost, and not to be had again in {seconds:g} s")
