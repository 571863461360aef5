"""A provider that falls silent is let go of, whatever it does about that."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from parley import patience
from parley.messages import Retry
from parley.patience import Patience, within
from parley.providers import ProviderError

SHORT, LONG = 0.02, 30.0


class Provider:
    """Yields 0, 1, ... and hangs before the piece `hangs_at`; closing it may hang as well."""

    def __init__(self, hangs_at: int | None = None, *, stubborn: bool = False) -> None:
        self.hangs_at = hangs_at
        self.stubborn = stubborn
        self.asked = 0
        self.closed = False
        self.task: asyncio.Task[None] | None = None

    async def pieces(self) -> AsyncGenerator[int, None]:
        try:
            for piece in range(3):
                self.asked += 1
                if piece == self.hangs_at:
                    self.task = asyncio.current_task()
                    await asyncio.Event().wait()
                yield piece
        finally:
            if self.stubborn:
                await asyncio.Event().wait()
            self.closed = True


async def taken(provider: Provider, bound: Patience) -> list[int]:
    pieces = []
    async with aclosing(within(bound, provider.pieces(), "it")) as source:
        async for piece in source:
            pieces.append(piece)
    return pieces


async def test_all_pieces_pass() -> None:
    provider = Provider()
    assert await taken(provider, Patience(LONG, LONG)) == [0, 1, 2]
    assert provider.closed


@pytest.mark.parametrize(
    ("hangs_at", "bound"),
    [(0, Patience(SHORT, LONG)), (1, Patience(LONG, SHORT)), (2, Patience(LONG, SHORT))],
)
async def test_too_long_a_silence_is_a_failure(hangs_at: int, bound: Patience) -> None:
    provider = Provider(hangs_at)
    with pytest.raises(ProviderError, match=r"it has given nothing for 0\.02 s") as failed:
        await taken(provider, bound)
    assert failed.value.retry is Retry.NOW
    assert provider.closed


async def test_one_that_will_not_be_closed_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "CLOSE_SECONDS", SHORT)
    provider = Provider(1, stubborn=True)
    async with asyncio.timeout(5):
        with pytest.raises(ProviderError):
            await taken(provider, Patience(LONG, SHORT))
    assert not provider.closed
    assert provider.task in patience._left_behind
    provider.stubborn = False
    provider.task.cancel()
    await asyncio.wait([provider.task])
    assert not patience._left_behind


async def test_what_the_provider_raises_comes_through() -> None:
    async def failing() -> AsyncGenerator[int, None]:
        yield 1
        raise ProviderError("no more", Retry.NEVER)

    pieces = within(Patience(LONG, LONG), failing(), "it")
    assert await anext(pieces) == 1
    with pytest.raises(ProviderError, match="no more"):
        await anext(pieces)


async def test_nothing_is_made_before_it_is_asked_for() -> None:
    provider = Provider()
    pieces = within(Patience(LONG, LONG), provider.pieces(), "it")
    assert await anext(pieces) == 0
    for _ in range(10):
        await asyncio.sleep(0)
    assert provider.asked == 1
    await pieces.aclose()
    assert provider.closed


async def test_whoever_waits_can_be_cancelled_and_the_provider_is_closed() -> None:
    provider = Provider(0)
    task = asyncio.create_task(taken(provider, Patience(LONG, LONG)))
    while not provider.asked:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert provider.closed
