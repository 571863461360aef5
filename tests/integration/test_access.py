"""Tokens and minutes as NATS keeps them for all gateways, and what happens while it is away."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from parley.api_keys import ApiKey
from parley.bus import Bus
from parley.config import ServiceConfig
from parley_gateway.access import sharing
from parley_gateway.access.keyring import Keyring
from parley_gateway.access.quotas import Quotas
from parley_gateway.access.sharing import Sharing
from parley_gateway.access.spent import SpentTokens, bucket_config
from parley_gateway.access.tokens import Claims
from parley_gateway.jetstream import JetStream
from parley_gateway.protocol import ProtocolError
from support.nats import NatsServer

KEY = ApiKey(sha256=("0" * 64,), minutes_a_day=1.0)


def claims(name: str) -> Claims:
    return Claims(name, "shop", None, True, time.time() + 60)


async def outcome(spent: SpentTokens, name: str) -> str:
    try:
        await spent.spend(claims(name))
    except ProtocolError as error:
        return error.code
    return "spent"


@asynccontextmanager
async def remembering(nats_url: str) -> AsyncIterator[SpentTokens]:
    async with Bus(ServiceConfig(nats_url=nats_url), "test") as bus, asyncio.TaskGroup() as tasks:
        jetstream = JetStream(bus, [bucket_config(1)])
        running = tasks.create_task(jetstream.run())
        await jetstream.wait_tried(20)
        yield SpentTokens(jetstream)
        running.cancel()


async def test_a_token_is_spent_at_all_gateways(nats_server: NatsServer) -> None:
    async with remembering(nats_server.url) as one, remembering(nats_server.url) as other:
        assert await outcome(one, "a") == "spent"
        assert [await outcome(each, "a") for each in (one, other)] == ["token_used"] * 2
        both = await asyncio.gather(outcome(one, "b"), outcome(other, "b"))
        assert sorted(both) == ["spent", "token_used"]
    async with remembering(nats_server.url) as later:  # A gateway that was not there then.
        assert await outcome(later, "a") == "token_used"


async def test_a_token_that_is_given_back_begins_one_call_more(nats_server: NatsServer) -> None:
    async with remembering(nats_server.url) as one, remembering(nats_server.url) as other:
        assert await outcome(one, "a") == "spent"
        await one.give_back(claims("a"))
        both = await asyncio.gather(outcome(one, "a"), outcome(other, "a"))
        assert sorted(both) == ["spent", "token_used"]
        assert [await outcome(each, "a") for each in (one, other)] == ["token_used"] * 2


async def test_while_nats_is_away_no_token_is_taken(nats_server: NatsServer) -> None:
    async with remembering(nats_server.url) as one, remembering(nats_server.url) as other:
        assert await outcome(one, "a") == "spent"
        nats_server.stop()
        for name in ("a", "b"):
            assert await outcome(other, name) == "no_capacity"
        assert await outcome(one, "a") == "token_used"  # It has seen that itself.
        nats_server.start()
        async with asyncio.timeout(30):
            while await outcome(other, "b") == "no_capacity":
                await asyncio.sleep(0.05)
        assert await outcome(other, "b") == "token_used"
        assert await outcome(other, "a") == "token_used"


async def test_without_jetstream_each_gateway_knows_its_own() -> None:
    server = NatsServer(jetstream=False)
    server.start()
    try:
        async with remembering(server.url) as one, remembering(server.url) as other:
            assert [await outcome(one, "a") for _ in range(2)] == ["spent", "token_used"]
            assert await outcome(other, "a") == "spent"
    finally:
        server.stop()


@asynccontextmanager
async def counting(nats_url: str) -> AsyncIterator[tuple[Sharing, Quotas]]:
    async with Bus(ServiceConfig(nats_url=nats_url), "test") as bus:
        quotas = Quotas()
        yield Sharing(bus, Keyring(), quotas), quotas


def used(quotas: Quotas, seconds: float) -> None:
    """A call of so long is over."""
    lease = quotas.begin("shop", KEY, time.time() - seconds)
    quotas.end(lease, time.time())


async def has_time(gateway: Sharing) -> bool:
    try:
        await gateway.ask("shop", KEY)
    except ProtocolError as error:
        assert error.code == "quota_used_up"
        return False
    return True


async def test_minutes_are_added_up_over_gateways_and_outlive_them(
    nats_server: NatsServer,
) -> None:
    async with counting(nats_server.url) as (one, spent), counting(nats_server.url) as (other, _):
        assert await has_time(one)
        used(spent, 40)
        await one.count()
        assert await has_time(other)
        used(spent, 25)
        await one.count()
        assert not await has_time(other)
        assert not await has_time(one)
    nats_server.stop()
    nats_server.start()
    async with counting(nats_server.url) as (later, _):
        assert not await has_time(later)


@pytest.mark.parametrize("jetstream", [True, False])
async def test_without_nats_a_gateway_counts_for_itself(
    monkeypatch: pytest.MonkeyPatch, jetstream: bool
) -> None:
    monkeypatch.setattr(sharing, "COUNT_SECONDS", 0.1)
    server = NatsServer(jetstream=jetstream)
    server.start()
    try:
        async with counting(server.url) as (gateway, quotas):
            if jetstream:
                server.stop()
            used(quotas, 40)
            await gateway.count()
            assert await has_time(gateway)
            used(quotas, 25)
            await gateway.count()
            assert not await has_time(gateway)
    finally:
        server.stop()
