"""The process's one ticker: every 20 ms it lets each conversation that speaks deliver."""

import asyncio
from typing import Protocol

from parley_gateway import metrics
from parley_gateway.playout import FRAME_MS

TICK_SECONDS = FRAME_MS / 1000
GIVE_UP_SECONDS = 1.0
"""A tick this late starts a new schedule, rather than a burst of all that were missed."""


class Paced(Protocol):
    """What the ticker calls. Must not block."""

    def tick(self, now: float) -> None:
        """Deliver what is due at `now`, in seconds on the loop's clock."""


class Pacer:
    """Ticks on an absolute schedule, so that it never drifts; rests while nobody speaks."""

    def __init__(self) -> None:
        self._speaking: set[Paced] = set()
        self._wake = asyncio.Event()

    def add(self, paced: Paced) -> None:
        """Tick this one from now on."""
        self._speaking.add(paced)
        self._wake.set()

    def discard(self, paced: Paced) -> None:
        """Tick this one no more."""
        self._speaking.discard(paced)

    def hurry(self, paced: Paced) -> None:
        """Tick this one at once, not only with the next tick, if it is to be ticked at all."""
        if paced in self._speaking:
            paced.tick(asyncio.get_running_loop().time())

    async def run(self) -> None:
        """Tick until cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            self._wake.clear()
            if not self._speaking:
                await self._wake.wait()
            scheduled = clock()
            while self._speaking:
                now = clock()
                metrics.PLAYOUT_LATENESS.observe(max(now - scheduled, 0.0))
                for paced in list(self._speaking):
                    paced.tick(now)
                scheduled += TICK_SECONDS
                if clock() - scheduled > GIVE_UP_SECONDS:
                    scheduled = clock()
                await asyncio.sleep(max(scheduled - clock(), 0))
