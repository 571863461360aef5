"""Calls' records in a real JetStream: who holds a call, and what is written of it."""

import asyncio

import pytest

from parley_gateway import stored_call
from parley_gateway.call_record import ResumeToken
from parley_gateway.store import UnknownCall
from support.keeping import StartKeeping, new_call, replying


async def test_another_gateway_takes_the_call_with_its_state(start_keeping: StartKeeping) -> None:
    one, other = await start_keeping(), await start_keeping()
    record, token = new_call()
    held = one.store.open(record)
    held.begin()
    held.update(replying(3, "It is", "noon."))
    assert await held.flush()

    taken = await other.store.take_over(token)
    assert taken.record.state == replying(3, "It is", "noon.")
    assert (taken.record.epoch, taken.record.started_at) == (1, 1000.0)
    assert taken.record.holder != record.holder
    assert not held.taken.is_set()  # It learns of it as it writes,

    held.update(replying(4))
    assert not await held.flush()
    assert held.taken.is_set()
    held.update(replying(5))
    held.delete()  # and from then on does nothing any more.
    found, _ = await one.store.load(token.conversation_id)
    assert found.state == replying(3, "It is", "noon.")
    assert not one.store.holds(token.conversation_id)

    again = await one.store.take_over(token)
    assert again.record.epoch == 2
    assert not await taken.flush()


async def test_of_two_that_take_it_at_once_the_later_has_it(start_keeping: StartKeeping) -> None:
    one, other = await start_keeping(), await start_keeping()
    record, token = new_call()
    held = one.store.open(record)
    held.begin()
    await held.flush()
    both = await asyncio.gather(one.store.take_over(token), other.store.take_over(token))
    assert {call.record.epoch for call in both} == {1, 2}
    assert [await call.flush() for call in sorted(both, key=lambda call: call.record.epoch)] == [
        False,
        True,
    ]


async def test_only_the_right_secret_resumes(start_keeping: StartKeeping) -> None:
    gateway = await start_keeping()
    record, token = new_call()
    held = gateway.store.open(record)
    held.begin()
    await held.flush()
    for wrong in (
        ResumeToken(token.conversation_id, token.secret[:-1]),
        ResumeToken.new(token.conversation_id),
        ResumeToken.new("nobody"),
    ):
        with pytest.raises(UnknownCall):
            await gateway.store.take_over(wrong)
    found, _ = await gateway.store.load(token.conversation_id)
    assert found.epoch == 0
    assert token.secret.encode() not in found.encode()


async def test_a_call_that_ended_cannot_be_resumed(start_keeping: StartKeeping) -> None:
    gateway = await start_keeping()
    record, token = new_call()
    held = gateway.store.open(record)
    held.begin()
    assert await held.flush()
    held.delete()
    await gateway.store.flush()
    with pytest.raises(UnknownCall):
        await gateway.store.take_over(token)


async def test_a_call_that_never_began_is_not_written(start_keeping: StartKeeping) -> None:
    gateway = await start_keeping()
    record, token = new_call()
    gateway.store.open(record).delete()
    await gateway.store.flush()
    assert await gateway.revision(token.conversation_id) == 0


async def test_a_call_that_is_let_go_of_waits_for_its_caller(start_keeping: StartKeeping) -> None:
    gateway = await start_keeping()
    record, token = new_call()
    held = gateway.store.open(record)
    held.begin()
    held.update(replying(2))
    held.let_go()
    await gateway.store.flush()
    assert (await gateway.store.take_over(token)).record.state == replying(2)


async def test_writes_are_few_and_the_newest_is_written(
    start_keeping: StartKeeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_call, "PACE_SECONDS", 3600.0)
    # Nor is it written just to stay alive.
    gateway = await start_keeping(resume_seconds=36_000.0)
    record, token = new_call()
    held = gateway.store.open(record)
    held.begin()
    held.update(replying(1))
    assert await held.flush()
    first = await gateway.revision(token.conversation_id)
    for words in range(200):  # one reply, as it goes on
        held.update(replying(1, *["word"] * words))
        await asyncio.sleep(0)
    held.update(replying(2))  # a turn begins: this goes at once, without anybody waiting for it
    async with asyncio.timeout(10):
        while (await gateway.store.load(token.conversation_id))[0].state != replying(2):
            await asyncio.sleep(0.01)
    assert await gateway.revision(token.conversation_id) == first + 1


async def test_what_was_said_within_a_turn_is_written_a_little_later(
    start_keeping: StartKeeping,
) -> None:
    gateway = await start_keeping()
    record, token = new_call()
    held = gateway.store.open(record)
    held.begin()
    held.update(replying(1))
    await held.flush()
    held.update(replying(1, "It is noon."))
    async with asyncio.timeout(10):
        while (await gateway.store.load(token.conversation_id))[0].state != replying(
            1, "It is noon."
        ):
            await asyncio.sleep(0.01)


async def test_a_record_lives_as_long_as_its_call_and_then_runs_out(
    start_keeping: StartKeeping,
) -> None:
    gateway = await start_keeping(resume_seconds=3.0)
    record, token = new_call()
    held = gateway.store.open(record)
    held.begin()
    assert await held.flush()
    first = await gateway.revision(token.conversation_id)
    async with asyncio.timeout(20):
        while await gateway.revision(token.conversation_id) < first + 5:  # longer than its span
            await gateway.store.load(token.conversation_id)
            await asyncio.sleep(0.05)
        held.let_go()
        await gateway.store.flush()
        with pytest.raises(UnknownCall):
            while True:
                await gateway.store.load(token.conversation_id)
                await asyncio.sleep(0.05)


async def test_a_gateways_own_call_is_resumed_with_its_very_last_state(
    start_keeping: StartKeeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_call, "PACE_SECONDS", 3600.0)
    gateway = await start_keeping()
    record, token = new_call()
    held = gateway.store.open(record)
    held.begin()
    held.update(replying(1))
    await held.flush()
    held.update(replying(1, "not yet", "written"))
    taken = await gateway.store.take_over(token)
    assert taken.record.state == replying(1, "not yet", "written")
    assert held.taken.is_set()
    assert gateway.store.holds(token.conversation_id)
