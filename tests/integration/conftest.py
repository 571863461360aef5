"""Gateways, or the part of them that keeps calls, on a NATS of the test's own."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import pytest

from parley_gateway import session
from support.gateways import FakeConversation, Running, StartGateway, running
from support.keeping import Keeping, StartKeeping, keeping
from support.nats import NatsServer


@pytest.fixture
async def start_keeping(nats_server: NatsServer) -> AsyncIterator[StartKeeping]:
    """Starts one or more."""
    async with AsyncExitStack() as stack:

        async def start(**options: Any) -> Keeping:
            found: AbstractAsyncContextManager[Keeping] = keeping(nats_server.url, **options)
            return await stack.enter_async_context(found)

        yield start


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Conversations are a test's own."""
    monkeypatch.setattr(session, "Conversation", FakeConversation)
    monkeypatch.setattr(FakeConversation, "made", [])
    monkeypatch.setattr(session, "SPREAD_SECONDS", 0.0)


@pytest.fixture
async def start_gateway(nats_server: NatsServer, scripted: None) -> AsyncIterator[StartGateway]:
    """Starts gateways whose conversations are scripted."""
    async with AsyncExitStack() as stack:

        async def start(**options: Any) -> Running:
            found: AbstractAsyncContextManager[Running] = running(nats_server.url, **options)
            return await stack.enter_async_context(found)

        yield start
