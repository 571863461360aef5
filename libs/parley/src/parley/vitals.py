"""What every service measures of itself: what it is, and whether its event loop keeps up."""

import asyncio
import platform
from importlib.metadata import version

from parley import metrics

LOOK_SECONDS = 0.1
"""How often the event loop is looked at."""


def introduce(service: str) -> None:
    """Tell Prometheus which service this is, of which version."""
    metrics.BUILD.info(
        {
            "service": service,
            "version": version("parley-voice"),
            "python": platform.python_version(),
        }
    )


async def watch_loop() -> None:
    """Measure how late the event loop comes to what is due, until cancelled."""
    clock = asyncio.get_running_loop().time
    while True:
        due = clock() + LOOK_SECONDS
        await asyncio.sleep(LOOK_SECONDS)
        metrics.LOOP_LAG.observe(max(clock() - due, 0.0))
