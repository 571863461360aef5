"""One lane for all short chaos tests: two gateways, two workers of each stage."""

import asyncio
from collections.abc import Iterator

import pytest

from benchmarks.chaos import script
from benchmarks.chaos.lane import Lane
from parley_cli.call import Options, connect


@pytest.fixture(scope="package")
def lane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lane]:
    """A lane that is ready. Whoever is killed in a test is there again in the next one."""
    lane = Lane(tmp_path_factory.mktemp("chaos") / "lane")
    with lane.engine:
        asyncio.run(_warm_up(lane))
        yield lane


async def _warm_up(lane: Lane) -> None:
    """What is made once, in the first call, is not left over from the others."""
    async with connect(lane.engine.urls, Options(agent=script.AGENT)) as call:
        await call.text("Hello.")
        await call.wait_for("speaking", timeout=30)
        await call.interrupt()
        await call.wait_for("spoken")
        await call.end()
    await lane.note_idle()


@pytest.fixture
def mended(lane: Lane) -> Lane:
    """The lane with nobody missing."""
    asyncio.run(lane.mend())
    return lane
