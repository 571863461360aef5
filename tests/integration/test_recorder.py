"""What happened in conversations, recorded in a real JetStream and read again."""

import asyncio
import json
import os
from typing import Any

import httpx
import pytest
from nats.js.api import Header
from starlette.applications import Starlette

from parley import subjects
from parley.records import Event
from parley_gateway import conversations, metrics, recorder
from parley_gateway.access.door import Door
from parley_gateway.access.keyring import Keyring
from parley_gateway.recorder import Recorder
from support.keeping import Keeping, StartKeeping, new_call, until
from support.nats import NatsServer

TOKEN = "open-sesame"


async def get(gateway: Keeping, path: str, key: str | None, **headers: str) -> httpx.Response:
    """An answer of the gateway's HTTP side, which asks for that key."""
    route = conversations.route(gateway.history, Door(Keyring(None, key)), recording=True)
    app = httpx.ASGITransport(Starlette(routes=[route]))
    async with httpx.AsyncClient(transport=app, base_url="http://gateway") as client:
        return await client.get(path, headers=headers)


async def read(gateway: Keeping, conversation_id: str) -> httpx.Response:
    """The answer to GET /conversations/<id>."""
    return await get(gateway, f"/conversations/{conversation_id}", None)


async def conversation(gateway: Keeping, conversation_id: str) -> dict[str, Any]:
    """The conversation as readers see it."""
    answer = await read(gateway, conversation_id)
    assert answer.status_code == 200, answer.text
    found = json.loads(answer.text)
    assert isinstance(found, dict)
    return found


async def test_a_conversation_is_read_while_it_goes_on_and_afterwards(
    start_keeping: StartKeeping,
) -> None:
    gateway, other = await start_keeping(), await start_keeping()
    record = gateway.recorder.record
    record("c1", "started", "started", agent="tess", resumable=False)
    record("c1", "bot", "bot-0", turn=0, text="Hello.", cut_off=False)
    record("c1", "user", "user-1", turn=1, text="What is the time?")
    record("c2", "user", "user-1", turn=1, text="Somebody else's.")
    record("c1", "failover", "failover-0-1", stage="tts")
    record("c1", "bot", "bot-1", turn=1, text="It is", cut_off=True)
    await gateway.recorded()
    found = await conversation(other, "c1")
    assert (found["conversation_id"], found["agent"]) == ("c1", "tess")
    assert (found["ended_at"], found["ended_reason"]) == (None, None)
    said = [
        (one["turn"], one["speaker"], one["text"], one["cut_off"]) for one in found["transcript"]
    ]
    assert said == [
        (0, "bot", "Hello.", False),
        (1, "human", "What is the time?", False),
        (1, "bot", "It is", True),
    ]
    assert [(one["kind"], one.get("stage")) for one in found["events"]] == [
        ("started", None),
        ("failover", "tts"),
    ]
    record("c1", "ended", "ended-0", epoch=0, reason="hang_up")
    await gateway.recorded()
    found = await conversation(other, "c1")
    assert found["ended_reason"] == "hang_up"
    assert found["started_at"] <= found["ended_at"]


async def test_what_is_recorded_again_is_there_once(start_keeping: StartKeeping) -> None:
    gateway, other = await start_keeping(), await start_keeping()
    for one in (gateway, other):
        one.recorder.record("c1", "user", "user-1", turn=1, text="Hello.")
        await one.recorded()
    assert await gateway.recorded() == 1
    # Later than the server remembers ids, readers see to it.
    again = Event("c1", "user-1", "user", 5e9, {"turn": 1, "text": "Hello."})
    await gateway.jetstream.context.publish(subjects.record("c1"), again.encode())
    assert await gateway.recorded() == 2
    found = await conversation(gateway, "c1")
    assert [one["text"] for one in found["transcript"]] == ["Hello."]
    assert found["transcript"][0]["at"] < 5e9


async def test_a_publish_whose_answer_was_lost_is_made_again_and_counts_once(
    start_keeping: StartKeeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = await start_keeping()
    real, calls = gateway.recorder._publish_once, 0

    async def publish_once(event: Event) -> None:
        nonlocal calls
        calls += 1
        await real(event)
        if calls == 1:
            raise TimeoutError

    monkeypatch.setattr(gateway.recorder, "_publish_once", publish_once)
    gateway.recorder.record("c1", "user", "user-1", turn=1, text="Hello.")
    await gateway.recorded()
    assert calls == 2
    assert await gateway.recorded() == 1


async def test_nothing_is_lost_while_nats_is_away(
    start_keeping: StartKeeping, nats_server: NatsServer
) -> None:
    gateway = await start_keeping()
    numbers = [*range(1, 301)]
    for number in numbers[:100]:
        gateway.recorder.record("c1", "user", f"user-{number}", turn=number, text=str(number))
    nats_server.stop()
    await until(lambda: not gateway.bus.connected)
    for number in numbers[100:]:
        gateway.recorder.record("c1", "user", f"user-{number}", turn=number, text=str(number))
    assert (await read(gateway, "c1")).status_code == 503
    nats_server.start()
    await gateway.recorded()
    found = await conversation(gateway, "c1")
    assert [one["turn"] for one in found["transcript"]] == numbers


async def test_more_events_than_one_batch_are_all_read(start_keeping: StartKeeping) -> None:
    gateway = await start_keeping()
    for number in range(1, 1203):
        gateway.recorder.record("c1", "user", f"user-{number}", turn=number, text=str(number))
    await gateway.recorded()
    assert len((await conversation(gateway, "c1"))["transcript"]) == 1202


async def test_too_many_events_push_out_the_oldest(
    start_keeping: StartKeeping, nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "MAX_WAITING", 50)
    gateway = await start_keeping()
    nats_server.stop()
    await until(lambda: not gateway.bus.connected)
    dropped = metrics.RECORDS.labels("dropped")
    before = dropped._value.get()
    for number in range(1, 101):  # No publisher has run yet: none has taken one out.
        gateway.recorder.record("c1", "user", f"user-{number}", turn=number, text=str(number))
    assert gateway.recorder.waiting == 50
    assert dropped._value.get() - before == 50
    nats_server.start()
    await gateway.recorded()
    found = await conversation(gateway, "c1")
    assert [one["turn"] for one in found["transcript"]] == [*range(51, 101)]


async def test_an_event_that_the_server_refuses_does_not_hold_up_the_others(
    start_keeping: StartKeeping,
) -> None:
    gateway = await start_keeping()
    gateway.recorder.record("c1", "user", "user-1", turn=1, text="x" * 2_000_000)
    gateway.recorder.record("c1", "user", "user-2", turn=2, text="Hello.")
    await gateway.recorded()
    assert [one["turn"] for one in (await conversation(gateway, "c1"))["transcript"]] == [2]


async def test_an_event_that_is_not_understood_is_left_out(start_keeping: StartKeeping) -> None:
    gateway = await start_keeping()
    publish = gateway.jetstream.context.publish
    for data in (
        b"",
        b"\xc1",
        Event("c1", "k", "user", 1.0, {}).encode().replace(b"\x01", b"\x63"),
    ):
        await publish(subjects.record("c1"), data, headers={Header.MSG_ID: os.urandom(4).hex()})
    gateway.recorder.record("c1", "user", "user-2", turn=2, text="Hello.")
    await gateway.recorded()
    assert [one["turn"] for one in (await conversation(gateway, "c1"))["transcript"]] == [2]


async def test_who_asks_for_what_is_not_there(start_keeping: StartKeeping) -> None:
    gateway = await start_keeping()
    unknown = await read(gateway, "nobody")
    assert unknown.status_code == 404
    assert "no such conversation" in unknown.json()["message"]
    for bad in ("c1.*", "c%3E1", "x" * 65, "%2A"):
        assert (await read(gateway, bad)).status_code == 400
    for wrong in ({"Authorization": "Bearer sesame"}, {"Authorization": ""}, {"X": "y"}):
        assert (await get(gateway, "/conversations/nobody", TOKEN, **wrong)).status_code == 401
    right = f"/conversations/nobody?token={TOKEN}"
    assert (await get(gateway, right, TOKEN)).status_code == 404


async def test_a_call_whose_gateway_died_is_lost_once_it_cannot_be_resumed(
    start_keeping: StartKeeping,
) -> None:
    gateway = await start_keeping(resume_seconds=3.0)
    gateway.recorder.record("c1", "started", "started", agent="tess", resumable=True)
    gateway.recorder.record("c2", "started", "started", agent="tess", resumable=True)
    gateway.recorder.record("c3", "started", "started", agent="tess", resumable=False)
    await gateway.recorded()
    gateway.store.open(new_call("c2")[0]).begin()
    async with asyncio.timeout(20):
        while (found := await conversation(gateway, "c1"))["ended_reason"] != "lost":
            assert found["ended_at"] is None
            await asyncio.sleep(0.05)
    assert found["ended_at"] == found["started_at"]
    assert (await conversation(gateway, "c2"))["ended_at"] is None
    assert (await conversation(gateway, "c3"))["ended_at"] is None


async def test_a_recorder_that_is_off_records_nothing(start_keeping: StartKeeping) -> None:
    gateway = await start_keeping()
    off = Recorder(gateway.jetstream, enabled=False)
    off.record("c1", "user", "user-1", turn=1, text="Hello.")
    assert off.waiting == 0
