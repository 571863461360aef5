"""Calls that go on at another gateway. The conversation is scripted."""

from typing import Any

import pytest

from parley import subjects
from parley.bus import decode_or_drop
from parley.messages import Taken
from parley_gateway.state import TalkState
from support.gateways import StartGateway, forgotten, stored, talk
from support.keeping import until
from support.nats import NatsServer


async def test_a_call_goes_on_at_another_gateway(start_gateway: StartGateway) -> None:
    one, other = await start_gateway(), await start_gateway()
    caller = await one.call(agent="tess", sample_rate=24000, encoding="mulaw")
    assert caller.first["resumed"] is False
    assert caller.first["audio_from_ms"] == 0
    assert caller.first["resume_seconds"] == 30
    await stored(one, caller, talk(2, understood_ms=4000.0))
    caller.vanish()

    again = await other.call(
        resume=caller.token, heard_turn=2, heard_ms=730.5, audio_ms=2500, agent="default"
    )
    assert again.first == {**caller.first, "resumed": True, "audio_from_ms": 4000}
    assert again.first["agent"] == "tess"
    assert (again.first["sample_rate"], again.first["encoding"]) == (24000, "mulaw")
    went_on = again.conversation
    assert went_on.id == caller.conversation.id
    assert went_on.resumed is not None
    assert (went_on.resumed.epoch, went_on.resumed.heard) == (1, (2, 730.5))
    assert went_on.resumed.state == talk(2, understood_ms=4000.0)
    assert went_on.audio_from_ms == 4000.0
    await again.end()


async def test_a_call_can_be_resumed_before_anything_has_happened_in_it(
    start_gateway: StartGateway,
) -> None:
    gateway = await start_gateway()
    caller = await gateway.call()
    await stored(gateway, caller, TalkState(), told=False)
    caller.vanish()
    again = await gateway.call(resume=caller.token)
    assert again.first["resumed"]
    await again.end()


async def test_audio_that_the_client_has_lost_is_left_out(start_gateway: StartGateway) -> None:
    gateway = await start_gateway()
    caller = await gateway.call()
    await stored(gateway, caller, talk(1, understood_ms=1000.0))
    caller.vanish()
    again = await gateway.call(resume=caller.token, audio_ms=9000)
    assert again.first["audio_from_ms"] == 9000
    assert again.conversation.resumed is not None
    assert again.conversation.resumed.heard is None
    await again.end()


async def test_the_gateway_that_held_the_call_lets_go_of_it_at_once(
    start_gateway: StartGateway,
) -> None:
    # Nothing but the news tells it so: the record is written again only in hours.
    one, other = (
        await start_gateway(resume_seconds=36_000.0),
        await start_gateway(resume_seconds=36_000.0),
    )
    caller = await one.call()
    await stored(one, caller, talk(1))
    told: list[int] = []

    async def on_control(msg: Any) -> None:
        message = decode_or_drop(msg.data, msg.subject)
        if isinstance(message, Taken):
            told.append(message.epoch)

    await one.kept.bus.subscribe(subjects.control(caller.conversation.id), on_control)
    await one.kept.bus.flush()
    again = await other.call(resume=caller.token)
    code, before = await caller.closed()
    assert code == 4409
    assert [one.get("code", one.get("reason")) for one in before] == ["resumed_elsewhere"] * 2
    await until(lambda: "close" in caller.conversation.calls)
    assert caller.conversation.calls[0] == "abandon"  # before anything tells the workers
    await until(lambda: told == [1])

    await stored(other, again, talk(2))  # and the record is the other's
    found, _ = await one.kept.store.load(again.conversation.id)
    assert (found.epoch, found.state.turn) == (1, 2)
    await again.end()


async def test_a_call_that_was_taken_while_the_news_were_lost_ends_with_its_next_write(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = await start_gateway(), await start_gateway()
    caller = await one.call()
    await stored(one, caller, talk(1))

    async def silent(*_: object) -> None:
        """No word reaches the others."""

    monkeypatch.setattr(other.kept.bus, "publish", silent)
    again = await other.call(resume=caller.token)
    caller.conversation.stands(talk(2))
    assert (await caller.closed())[0] == 4409
    await until(lambda: "close" in caller.conversation.calls)
    assert caller.conversation.calls[0] == "abandon"
    found, _ = await one.kept.store.load(again.conversation.id)
    assert (found.epoch, found.state) == (1, talk(1))
    await again.end()


async def test_a_client_may_come_back_to_the_full_gateway_that_still_holds_its_call(
    start_gateway: StartGateway,
) -> None:
    gateway = await start_gateway(max_conversations=1)
    caller = await gateway.call()
    await stored(gateway, caller, talk(1))
    assert (await gateway.call()).first["code"] == "no_capacity"
    again = await gateway.call(resume=caller.token)
    assert again.first["resumed"]
    assert (await caller.closed())[0] == 4409
    await again.end()


async def test_what_cannot_be_resumed_is_said_to_be_so(start_gateway: StartGateway) -> None:
    gateway = await start_gateway()
    caller = await gateway.call()
    await stored(gateway, caller, talk(1))
    wrong = [
        caller.token[:-1] + ("x" if caller.token[-1] != "x" else "y"),
        "nobody.secret",
        "",
        "x",
        "a.b.c",
        "*.x",
        "nobody." + "s" * 65,
    ]
    for token in wrong:
        refused = await gateway.call(resume=token)
        assert (refused.first["code"], (await refused.closed())[0]) == ("not_resumable", 4410)
        assert "call anew" in refused.first["message"]
    for query in ({"audio_ms": "nan"}, {"audio_ms": -1}, {"heard_turn": "x", "heard_ms": 1}):
        refused = await gateway.call(resume=caller.token, **query)
        assert (refused.first["code"], (await refused.closed())[0]) == ("bad_format", 4400)
    refused = await gateway.call(resume=caller.token, token="sesame")
    assert (refused.first["code"], (await refused.closed())[0]) == ("unauthorized", 4401)
    token = caller.token
    await caller.end()
    await forgotten(gateway, caller.conversation.id)
    assert (await gateway.call(resume=token)).first["code"] == "not_resumable"


async def test_a_call_whose_time_has_run_out(start_gateway: StartGateway) -> None:
    gateway = await start_gateway(resume_seconds=1.0)
    caller = await gateway.call()
    await stored(gateway, caller, talk(1))
    caller.vanish()
    await forgotten(gateway, caller.conversation.id)
    assert (await gateway.call(resume=caller.token)).first["code"] == "not_resumable"


async def test_a_resume_while_nats_is_away_is_to_be_tried_again(
    start_gateway: StartGateway, nats_server: NatsServer
) -> None:
    gateway = await start_gateway()
    caller = await gateway.call()
    nats_server.stop()
    await until(lambda: not gateway.kept.bus.connected)
    refused = await gateway.call(resume=caller.token)
    assert refused.first["code"] == "no_capacity"
    assert 1000 <= refused.first["retry_after_ms"] <= 5000
    caller.vanish()
