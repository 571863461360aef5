"""Whom a call asks when its connection is lost, how often and for how long."""

import asyncio
import time
from itertools import islice

import pytest

from parley_cli.connection import Connection
from parley_cli.dial import CallRefused, addresses
from parley_cli.reconnect import FIRST_PAUSE, LONGEST_PAUSE, others_first, pauses, reconnect


def test_pauses_double_up_to_a_bound_and_vary() -> None:
    many = [list(islice(pauses(), 8)) for _ in range(50)]
    for number, found in enumerate(zip(*many, strict=True)):
        longest = min(FIRST_PAUSE * 2**number, LONGEST_PAUSE)
        assert all(longest / 2 <= pause <= longest for pause in found)
        assert len(set(found)) > 1


def test_addresses() -> None:
    assert addresses("ws://a/c") == ["ws://a/c"]
    assert addresses("ws://a/c, ws://b/c") == ["ws://a/c", "ws://b/c"]
    assert addresses(("ws://a/c", "ws://b/c")) == ["ws://a/c", "ws://b/c"]


def test_the_one_that_was_lost_is_asked_last() -> None:
    assert others_first(["a", "b", "c"], "b") == ["c", "a", "b"]
    assert others_first(["a"], "a") == ["a"]


class Server:
    """Refuses with these codes, one after the other; the last one again and again."""

    def __init__(self, *codes: str, retry_after: float = 0.0) -> None:
        self.asked: list[tuple[str, float]] = []
        self._codes = list(codes)
        self._retry_after = retry_after

    async def attempt(self, address: str, _timeout: float) -> Connection:
        self.asked.append((address, time.monotonic()))
        code = self._codes.pop(0) if len(self._codes) > 1 else self._codes[0]
        raise CallRefused(code, f"refused: {code}", self._retry_after)


@pytest.mark.parametrize(
    "passing", ["unreachable", "timeout", "closed", "no_capacity", "draining", "internal_error"]
)
async def test_what_passes_is_asked_again_until_a_refusal_that_does_not(passing: str) -> None:
    server = Server(passing, passing, "not_resumable")
    with pytest.raises(CallRefused, match="not_resumable"):
        await reconnect(["a"], server.attempt, 30)
    assert len(server.asked) == 3


async def test_all_addresses_are_asked_before_there_is_a_pause() -> None:
    server = Server("unreachable", "unreachable", "unreachable", "unauthorized")
    with pytest.raises(CallRefused, match="unauthorized"):
        await reconnect(["a", "b"], server.attempt, 30)
    assert [address for address, _ in server.asked] == ["a", "b", "a", "b"]
    times = [at for _, at in server.asked]
    assert times[2] - times[1] >= FIRST_PAUSE / 2


async def test_the_servers_wish_for_patience_is_respected() -> None:
    server = Server("no_capacity", "not_resumable", retry_after=0.3)
    with pytest.raises(CallRefused, match="not_resumable"):
        await reconnect(["a"], server.attempt, 30)
    (_, first), (_, second) = server.asked
    assert second - first >= 0.3


async def test_in_the_end_it_gives_up() -> None:
    server = Server("unreachable")
    async with asyncio.timeout(20):
        with pytest.raises(CallRefused, match=r"not to be had again in 0\.5 s") as given_up:
            await reconnect(["a"], server.attempt, 0.5)
    assert given_up.value.code == "lost"
    assert len(server.asked) >= 3
