"""What an account allows, without waiting."""

import asyncio

import pytest

from parley.accounts import Account, Limits, account
from parley.messages import Retry
from parley.providers import ProviderError


async def test_streams_beyond_the_limit_are_refused_and_come_free() -> None:
    one = Account("Someone", Limits(streams=1))
    async with one.stream():
        with pytest.raises(ProviderError, match="all of its 1 streams") as refused:
            async with one.stream():
                pass
    assert (refused.value.retry, refused.value.retry_after) == (Retry.LATER, 1.0)
    async with one.stream():
        assert one.streams == 1
    assert one.streams == 0


async def test_more_requests_than_a_minute_may_have_are_refused() -> None:
    one = Account("Someone", Limits(requests_per_minute=2))
    for _ in range(2):
        async with one.stream():
            pass
    with pytest.raises(ProviderError, match="its 2 requests of this minute") as refused:
        async with one.stream():
            pass
    assert (refused.value.retry, refused.value.retry_after) == (Retry.LATER, 30.0)


async def test_retry_after_closes_the_account_for_all_calls() -> None:
    now = 0.0
    one = Account("Someone", Limits(), lambda: now)
    with pytest.raises(ProviderError, match="busy"):
        async with one.stream():
            raise ProviderError("busy", Retry.LATER, retry_after=7)
    with pytest.raises(ProviderError, match="left alone") as refused:
        async with one.stream():
            pass
    assert refused.value.retry_after == 7
    now = 7.0
    async with one.stream():
        pass


async def test_a_cancelled_stream_is_given_back() -> None:
    one = Account("Someone", Limits(streams=1))
    inside = asyncio.Event()

    async def use() -> None:
        async with one.stream():
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(use())
    await inside.wait()
    task.cancel()
    await asyncio.wait([task])
    assert one.streams == 0


def test_calls_with_the_same_key_share_an_account() -> None:
    limits = Limits(streams=3)
    assert account("Someone", "env:A", limits) is account("Someone", "env:A", limits)
    assert account("Someone", "env:A", limits) is not account("Someone", "env:B", limits)
