"""Fixtures of all tests."""

from collections.abc import AsyncIterator, Iterator

import pytest

from parley import logs
from parley.bus import Bus
from parley.config import ServiceConfig
from support.nats import NatsServer


@pytest.fixture(scope="session", autouse=True)
def _logs_as_in_a_service() -> None:
    logs.quieten()


@pytest.fixture(scope="session")
def shared_nats() -> Iterator[NatsServer]:
    """One NATS server for all tests that do not harm it."""
    server = NatsServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def nats_server() -> Iterator[NatsServer]:
    """A NATS server of the test's own, to stop and start."""
    server = NatsServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def bus(shared_nats: NatsServer) -> AsyncIterator[Bus]:
    """A connection to the shared server."""
    async with Bus(ServiceConfig(nats_url=shared_nats.url), "test") as connected:
        yield connected
