"""Calls' records while NATS is away, and afterwards."""

import asyncio

import pytest

from parley_gateway.call_record import CallRecord, ResumeToken
from parley_gateway.store import BUCKET, Unavailable, bucket_config
from support.keeping import StartKeeping, keeping, new_call, replying, until
from support.nats import NatsServer


async def test_the_newest_state_is_written_when_nats_is_back(
    start_keeping: StartKeeping, nats_server: NatsServer
) -> None:
    gateway = await start_keeping()
    record, token = new_call()
    held = gateway.store.open(record)
    held.begin()
    assert await held.flush()
    nats_server.stop()
    await until(lambda: not gateway.bus.connected)
    with pytest.raises(Unavailable):
        await gateway.store.take_over(token)
    for turn in range(2, 8):
        held.update(replying(turn))
    stored = asyncio.create_task(held.flush())
    await asyncio.sleep(0)
    nats_server.start()
    async with asyncio.timeout(30):
        assert await stored
    found, _ = await gateway.store.load(token.conversation_id)
    assert found.state == replying(7)


async def test_a_write_whose_answer_was_lost_is_not_taken_for_another_gateways(
    start_keeping: StartKeeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = await start_keeping()
    record, token = new_call()
    held = gateway.store.open(record)
    held.begin()
    assert await held.flush()
    real, lost = gateway.store._put, 0

    async def put(record: CallRecord, revision: int) -> int:
        nonlocal lost
        done = await real(record, revision)
        if not lost:
            lost = done
            raise TimeoutError
        return done

    monkeypatch.setattr(gateway.store, "_put", put)
    held.update(replying(2))
    assert await held.flush()
    assert lost
    assert not held.taken.is_set()
    held.update(replying(3))
    assert await held.flush()
    assert (await gateway.store.load(token.conversation_id))[0].state == replying(3)


async def test_a_store_that_was_wiped_is_made_again(start_keeping: StartKeeping) -> None:
    gateway = await start_keeping()
    record, token = new_call()
    held = gateway.store.open(record)
    held.begin()
    assert await held.flush()
    await gateway.jetstream.context.delete_stream(f"KV_{BUCKET}")
    held.update(replying(2))
    async with asyncio.timeout(30):
        assert await held.flush()
    assert (await gateway.store.load(token.conversation_id))[0].state == replying(2)


async def test_a_call_that_ended_while_nats_was_away_is_forgotten_in_time(
    start_keeping: StartKeeping, nats_server: NatsServer
) -> None:
    gateway = await start_keeping(resume_seconds=1.0)
    record, token = new_call()
    held = gateway.store.open(record)
    held.begin()
    assert await held.flush()
    nats_server.stop()
    await until(lambda: not gateway.bus.connected)
    held.let_go()
    async with asyncio.timeout(20):
        await gateway.store.flush()
    assert not gateway.store.holds(token.conversation_id)


async def test_another_span_of_life_is_taken_on(start_keeping: StartKeeping) -> None:
    await start_keeping(resume_seconds=20.0)
    gateway = await start_keeping(resume_seconds=40.0)
    info = await gateway.jetstream.context.stream_info(f"KV_{BUCKET}")
    assert info.config.max_age == pytest.approx(bucket_config(40.0, 1).max_age)


async def test_jetstream_may_come_later_and_until_then_nothing_waits() -> None:
    without, later = NatsServer(jetstream=False), NatsServer()
    later.port = without.port
    without.start()
    try:
        async with keeping(without.url, wait_ready=False) as gateway:
            async with asyncio.timeout(20):
                await gateway.jetstream.wait_tried(20)
            assert not gateway.store.available
            with pytest.raises(Unavailable):
                await gateway.store.take_over(ResumeToken.new("nobody"))
            without.stop()
            later.start()
            async with asyncio.timeout(30):
                await gateway.jetstream.wait_ready()
            assert gateway.store.available
            record, token = new_call()
            held = gateway.store.open(record)
            held.begin()
            async with asyncio.timeout(20):
                assert await held.flush()
            assert (await gateway.store.take_over(token)).record.epoch == 1
    finally:
        without.stop()
        later.stop()
