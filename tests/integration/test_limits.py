"""What is too much is refused: calls, time, silence, messages. The conversation is scripted."""

import asyncio
import time

import pytest

from parley_gateway import inbound
from parley_gateway.limits import CallLimits
from support.gateways import FakeConversation, StartGateway, forgotten, stored, talk
from support.keeping import until


async def test_a_flood_is_refused_quickly_and_the_lines_are_counted_right(
    start_gateway: StartGateway,
) -> None:
    gateway = await start_gateway(max_conversations=3)
    began = time.monotonic()
    callers = await asyncio.gather(*(gateway.call() for _ in range(40)))
    taken = [one for one in callers if one.first["type"] == "ready"]
    refused = [one for one in callers if one.first["type"] == "error"]
    assert (len(taken), len(refused)) == (3, 37)
    assert {one.first["code"] for one in refused} == {"no_capacity"}
    assert len({one.first["retry_after_ms"] for one in refused}) > 10
    assert time.monotonic() - began < 20
    assert len(FakeConversation.made) == 3
    await asyncio.gather(*(one.closed() for one in refused))
    assert gateway.gateway.admission.active == 3
    await asyncio.gather(*(one.end() for one in taken))
    await until(lambda: gateway.gateway.admission.active == 0)
    assert gateway.gateway.admission.idle.is_set()


async def test_a_call_may_not_last_for_ever_not_even_at_another_gateway(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = await start_gateway(), await start_gateway()
    caller = await one.call()
    await stored(one, caller, talk(1))
    caller.vanish()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 700.0)  # 600 are allowed
    again = await other.call(resume=caller.token)
    code, before = await again.closed()
    assert (code, before[0]["code"]) == (4408, "too_long")
    await forgotten(other, caller.conversation.id)
    new = await other.call()
    await new.send("ping")
    assert (await new.event())["type"] == "pong"
    await new.end()


async def test_a_call_ends_when_its_time_is_over(start_gateway: StartGateway) -> None:
    gateway = await start_gateway(limits=CallLimits(call_seconds=0.3, idle_seconds=600.0))
    caller = await gateway.call()
    code, before = await caller.closed()
    assert (code, before[0]["code"]) == (4408, "too_long")


async def test_a_client_that_says_nothing_at_all_is_gone(start_gateway: StartGateway) -> None:
    gateway = await start_gateway(limits=CallLimits(call_seconds=600.0, idle_seconds=2.0))
    caller = await gateway.call()
    caller.conversation.stands(talk(1))
    code, before = await caller.closed()
    assert (code, before[0]["code"]) == (4408, "client_gone")
    again = await gateway.call(resume=caller.token)
    assert again.first["resumed"]
    for _ in range(6):  # A sign of life is enough.
        await again.send("ping")
        assert (await again.event())["type"] == "pong"
        await asyncio.sleep(0.5)
    await again.end()


@pytest.mark.parametrize("message", ['{"type": "ping"}', b""])
async def test_too_many_messages_end_the_call(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch, message: str | bytes
) -> None:
    for kind in ("TEXT", "FRAME"):
        monkeypatch.setattr(inbound, f"{kind}_RATE", 0.1)
        monkeypatch.setattr(inbound, f"{kind}_BURST", 30)
    gateway = await start_gateway()
    caller = await gateway.call()
    await stored(gateway, caller, talk(1))
    for _ in range(30):
        await caller.socket.send(message)
    await caller.send("text", text="What I type counts by itself.")
    if isinstance(message, bytes):
        await caller.socket.send(message)
    code, before = await caller.closed()
    assert code == 4429
    assert [one["code"] for one in before if one["type"] == "error"] == ["too_many_messages"]
    assert ("What I type counts by itself." in caller.conversation.calls) is isinstance(
        message, bytes
    )
    await forgotten(gateway, caller.conversation.id)
