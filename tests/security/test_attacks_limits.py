"""What is too much of a key: calls, calls a minute, time; and what ends with the key."""

import asyncio
import json
from contextlib import AsyncExitStack

import pytest
import yaml
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from support.attacked import KEYS, LINES, Attacked, close_of
from support.keeping import until


async def test_calls_at_once_are_counted_by_all_gateways_together(target: Attacked) -> None:
    async with AsyncExitStack() as stack:
        for gateway in (0, 1):
            assert (await target.begin(stack, KEYS["two-calls"], gateway=gateway)).got_through
        other = target.gateways[1]
        await asyncio.sleep(2.5)  # They tell each other every second.
        for gateway in (0, 1):
            outcome = await target.call(KEYS["two-calls"], gateway=gateway)
            assert outcome.code == "too_many_calls"
            assert outcome.first["retry_after_ms"] > 0
        assert other.metric('parley_key_calls_active{key="two-calls"}') == 1
        name = 'parley_key_refusals_total{code="too_many_calls",key="two-calls"}'
        assert other.metric(name) >= 1
        assert (await target.call(KEYS["shop"])).got_through  # Others do not suffer.
    async with asyncio.timeout(20):
        while not (await target.call(KEYS["two-calls"])).got_through:
            await asyncio.sleep(0.2)


async def test_calls_that_are_left_and_resumed_are_counted_again(target: Attacked) -> None:
    """Else a key could begin two, leave them, begin two others, and go on with all of them."""
    url = f"ws://127.0.0.1:{target.gateways[0].port}/conversation?token={KEYS['two-calls']}"
    await calls_are_over(target, "two-calls")
    left = []
    for _ in range(2):
        async with connect(url, proxy=None) as one, connect(url, proxy=None) as other:
            left += [json.loads(await call.recv())["resume_token"] for call in (one, other)]
            for call in (one, other):
                call.transport.abort()
        await calls_are_over(target, "two-calls")
    async with AsyncExitStack() as stack:
        for gateway in (0, 1):
            query = {"gateway": gateway, "resume": left[gateway]}
            assert (await target.begin(stack, KEYS["two-calls"], **query)).first["resumed"]
        await asyncio.sleep(2.5)
        for gateway in (0, 1):
            outcome = await target.call(KEYS["two-calls"], gateway=gateway, resume=left[2])
            assert outcome.code == "too_many_calls"
            assert outcome.first["retry_after_ms"] > 0
    await calls_are_over(target, "two-calls")
    assert (await target.call(KEYS["two-calls"], resume=left[2])).first["resumed"]


async def calls_are_over(target: Attacked, key: str) -> None:
    name = f'parley_key_calls_active{{key="{key}"}}'
    await until(lambda: sum(one.metric(name) for one in target.gateways) == 0)
    await asyncio.sleep(2.5)  # They have told each other.


async def test_calls_a_minute(target: Attacked) -> None:
    outcomes = [await target.call(KEYS["three-a-minute"]) for _ in range(5)]
    assert [one.code for one in outcomes] == ["ready"] * 3 + ["too_many_calls"] * 2
    assert 30_000 < outcomes[-1].first["retry_after_ms"] <= 65_000
    await asyncio.sleep(2.5)
    assert (await target.call(KEYS["three-a-minute"], gateway=1)).code == "too_many_calls"


async def test_time_that_is_used_up_ends_calls_and_lets_none_begin(target: Attacked) -> None:
    url = f"ws://127.0.0.1:{target.gateways[0].port}/conversation?token={KEYS['seconds']}"
    async with connect(url, proxy=None) as call:
        assert '"ready"' in str(await call.recv())
        with pytest.raises(ConnectionClosed) as closed:
            async with asyncio.timeout(40):  # 6 s are allowed, and counted every 5 s.
                while True:
                    await call.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4429, "quota_used_up")
    for gateway in (0, 1):
        assert (await target.call(KEYS["seconds"], gateway=gateway)).code == "quota_used_up"
    assert target.gateways[0].metric('parley_key_call_seconds_total{key="seconds"}') >= 6


async def test_a_key_that_is_taken_away_ends_its_calls(target: Attacked) -> None:
    listed = yaml.safe_load(target.keys_file.read_text())
    try:
        async with AsyncExitStack() as stack:
            url = f"ws://127.0.0.1:{target.gateways[0].port}/conversation?token={KEYS['page']}"
            call = await stack.enter_async_context(connect(url, proxy=None))
            assert '"ready"' in str(await call.recv())
            target.keys_file.write_text("this: is: no YAML")
            await asyncio.sleep(3)
            assert (await target.call(KEYS["page"])).got_through  # The old keys hold.
            rest = {name: key for name, key in listed.items() if name != "page"}
            target.keys_file.write_text(yaml.safe_dump(rest))
            assert await close_of(call) == (4401, "unauthorized")
            assert (await target.call(KEYS["page"])).code == "unauthorized"
            assert (await target.call(KEYS["shop"])).got_through
    finally:
        target.keys_file.write_text(yaml.safe_dump(listed))
        async with asyncio.timeout(20):
            while not (await target.call(KEYS["page"])).got_through:
                await asyncio.sleep(0.2)


async def test_no_more_calls_than_the_gateway_has_lines(target: Attacked) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(LINES):
            assert (await target.begin(stack, KEYS["shop"])).got_through
        outcome = await target.call(KEYS["rival"])
        assert outcome.code == "no_capacity"
        assert outcome.first["retry_after_ms"] > 0
    await lines_are_free(target)


async def lines_are_free(target: Attacked) -> None:
    await until(lambda: target.gateways[0].metric("parley_conversations_active") == 0)
