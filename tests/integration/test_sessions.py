"""How calls end, and what is left of them. The conversation is scripted."""

import asyncio

import pytest

from parley.messages import Retry
from parley.subjects import Stage
from parley_gateway.jobs import JobLost
from support.gateways import StartGateway, forgotten, running, stored, talk
from support.keeping import until
from support.nats import NatsServer


async def test_hanging_up_ends_the_call_for_good(start_gateway: StartGateway) -> None:
    gateway = await start_gateway()
    for how in ("end", "close"):
        caller = await gateway.call()
        await stored(gateway, caller, talk(1))
        await (caller.end() if how == "end" else caller.socket.close())
        await forgotten(gateway, caller.conversation.id)
        # What was heard of a reply is settled before the end.
        assert caller.conversation.calls[:2] == ["interrupt", "end"]
        async with asyncio.timeout(20):
            await gateway.kept.recorder.flush()
        found = (await gateway.get(f"/conversations/{caller.conversation.id}")).json()
        assert found["ended_reason"] == "hang_up"


async def test_a_client_that_vanishes_may_come_back(start_gateway: StartGateway) -> None:
    gateway = await start_gateway()
    caller = await gateway.call()
    caller.conversation.stands(talk(1))
    caller.vanish()
    conversation = caller.conversation
    await until(lambda: "close" in conversation.calls)
    assert conversation.calls == ["end", "close"]  # The workers are told.
    async with asyncio.timeout(20):
        await gateway.kept.store.flush()
        await gateway.kept.recorder.flush()
    assert (await gateway.kept.store.load(conversation.id))[0].state == talk(1)
    found = (await gateway.get(f"/conversations/{conversation.id}")).json()
    assert (found["agent"], found["ended_reason"]) == ("default", "client_gone")
    again = await gateway.call(resume=caller.token)
    async with asyncio.timeout(20):
        await gateway.kept.recorder.flush()
    found = (await gateway.get(f"/conversations/{conversation.id}")).json()
    assert (found["ended_at"], found["ended_reason"]) == (None, None)
    assert [one["kind"] for one in found["events"]] == ["started", "ended", "resumed"]
    await again.end()


async def test_workers_are_not_told_of_an_end_that_they_would_hear_late(
    start_gateway: StartGateway, nats_server: NatsServer
) -> None:
    """When NATS is back, they may be at work for the gateway that has resumed the call."""
    gateway = await start_gateway()
    caller = await gateway.call()
    nats_server.stop()
    await until(lambda: not gateway.kept.bus.connected)
    caller.vanish()
    await until(lambda: "close" in caller.conversation.calls)
    assert caller.conversation.calls[0] == "abandon"


async def test_a_call_that_lost_its_hearing_may_go_on_elsewhere(
    start_gateway: StartGateway,
) -> None:
    one, other = await start_gateway(), await start_gateway()
    caller = await one.call()
    await stored(one, caller, talk(3))
    caller.conversation.fail(JobLost(Stage.STT, "no transcriber"))
    code, before = await caller.closed()
    assert (code, before[0]["code"]) == (4503, "no_capacity")
    assert before[0]["retry_after_ms"] >= 1000
    again = await other.call(resume=caller.token)
    assert again.conversation.resumed is not None
    assert again.conversation.resumed.state == talk(3)
    await again.end()


async def test_a_fault_ends_the_call_and_not_what_is_stored(start_gateway: StartGateway) -> None:
    gateway = await start_gateway()
    caller = await gateway.call()
    await stored(gateway, caller, talk(3))
    caller.conversation.fail(RuntimeError("a fault"))
    assert (await caller.closed())[0] == 1011
    again = await gateway.call(resume=caller.token)
    assert again.conversation.resumed is not None
    assert again.conversation.resumed.state == talk(3)
    again.conversation.fail(JobLost(Stage.STT, "no such transcriber", Retry.NEVER))
    assert (await again.closed())[0] == 4500
    await forgotten(gateway, again.conversation.id)


async def test_calls_move_when_they_are_quiet(start_gateway: StartGateway) -> None:
    one, other = await start_gateway(), await start_gateway()
    quiet, busy = await one.call(), await one.call()
    busy.conversation.quiet = False
    busy.conversation.stands(talk(1))
    quiet.conversation.stands(talk(2, understood_ms=500.0))
    draining = asyncio.create_task(one.gateway.drain(600.0))
    code, before = await quiet.closed()
    assert code == 4504
    assert (before[0]["code"], before[0]["fatal"]) == ("draining", True)
    assert before[0]["retry_after_ms"] < 1000
    assert (await other.kept.store.load(quiet.conversation.id))[0].state == talk(
        2, understood_ms=500.0
    )
    assert not one.gateway.readiness()[0]
    assert one.gateway.admission.active == 1

    refused = await one.call()
    assert (refused.first["code"], (await refused.closed())[0]) == ("draining", 4504)
    again = await other.call(resume=quiet.token, audio_ms=0)
    assert again.first["audio_from_ms"] == 500
    await again.end()
    busy.conversation.quiet = True
    assert (await busy.closed())[0] == 4504
    async with asyncio.timeout(20):
        await draining


async def test_calls_that_are_never_quiet_move_at_the_deadline(start_gateway: StartGateway) -> None:
    one, other = await start_gateway(), await start_gateway()
    caller = await one.call()
    caller.conversation.quiet = False
    caller.conversation.stands(talk(5))
    async with asyncio.timeout(20):
        _, (code, _) = await asyncio.gather(one.gateway.drain(0.3), caller.closed())
    assert code == 4504
    again = await other.call(resume=caller.token)
    assert again.conversation.resumed is not None
    assert again.conversation.resumed.state == talk(5)
    await again.end()


@pytest.mark.usefixtures("scripted")
async def test_without_jetstream_calls_work_and_stay_until_the_deadline() -> None:
    server = NatsServer(jetstream=False)
    server.start()
    try:
        async with running(server.url, wait_ready=False) as gateway:
            async with asyncio.timeout(20):
                await gateway.kept.jetstream.wait_tried(20)
            caller = await gateway.call()
            assert caller.first["resume_token"] is None
            assert caller.first["resume_seconds"] is None
            assert gateway.gateway.readiness()[0]
            draining = asyncio.create_task(gateway.gateway.drain(600.0))
            await caller.send("ping")
            assert (await caller.event())["type"] == "pong"
            assert (await gateway.get("/conversations/x")).status_code == 503
            gateway.gateway.shared.stopping.set()
            code, before = await caller.closed()
            assert (code, before[0]["code"]) == (4504, "draining")
            assert "call again" in before[0]["message"]
            async with asyncio.timeout(20):
                await draining
    finally:
        server.stop()
