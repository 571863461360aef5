"""What NATS keeps outlives any one server of a cluster."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from parley_gateway.state import TalkState
from parley_gateway.store import BUCKET, Unavailable
from support.keeping import keeping, new_call
from support.nats import NatsCluster

pytestmark = pytest.mark.timeout(240)

T = TypeVar("T")


async def once_it_can(ask: Callable[[], Awaitable[T]]) -> T:
    """What `ask` gives; while the cluster has no leader, it is asked again."""
    async with asyncio.timeout(90):
        while True:
            try:
                return await ask()
            except Unavailable:
                await asyncio.sleep(0.1)


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_a_call_goes_on_when_the_leader_of_its_records_is_lost(how: str) -> None:
    with NatsCluster() as cluster:
        record, token = new_call("c1")
        async with (
            keeping(cluster.url, resume_seconds=60.0, replicas=3) as one,
            keeping(cluster.url, resume_seconds=60.0, replicas=3) as other,
        ):
            held = one.store.open(record)
            held.begin()
            assert await held.flush()
            leader = await asyncio.to_thread(cluster.stream_leader, f"KV_{BUCKET}")
            if how == "killed":
                leader.stop()
            else:
                leader.freeze()
            for turn in range(1, 4):
                held.update(TalkState(turn=turn))
                one.recorder.record("c1", "user", f"user-{turn}", turn=turn, text="Hello?")
            async with asyncio.timeout(90):
                assert await held.flush()
                await one.recorder.flush()
            taken = await once_it_can(lambda: other.store.take_over(token))
            assert taken.record.state.turn == 3
            assert not await held.flush()
            found = await once_it_can(lambda: other.history.conversation("c1"))
            assert [entry["turn"] for entry in found["transcript"]] == [1, 2, 3]
            if how == "frozen":
                leader.thaw()
            await asyncio.to_thread(cluster.start)
            async with asyncio.timeout(60):
                assert await taken.flush()
