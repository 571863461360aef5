"""The exporter against a real NATS server, as Prometheus reads it."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from parley.bus import Bus
from parley.config import ServiceConfig
from parley_cli.nats_exporter import NatsExporter
from support.nats import NatsServer

Samples = dict[tuple[str, str], float]
"""By name, and what tells two samples of a name apart: the stream, or a value."""


class Scraped:
    """An exporter, and what it serves."""

    def __init__(self, nats: NatsServer, http: httpx.AsyncClient) -> None:
        app = NatsExporter(http, nats.monitoring_url).app()
        transport = httpx.ASGITransport(app)
        self._prometheus = httpx.AsyncClient(transport=transport, base_url="http://exporter")

    async def __call__(self) -> Samples:
        answer = await self._prometheus.get("/metrics")
        assert answer.status_code == 200
        return {
            (one.name, one.labels.get("stream_name", one.labels.get("value", ""))): one.value
            for family in text_string_to_metric_families(answer.text)
            for one in family.samples
        }


@pytest.fixture
async def scrape(nats_server: NatsServer) -> AsyncIterator[Scraped]:
    async with httpx.AsyncClient(trust_env=False) as http:
        yield Scraped(nats_server, http)


async def test_what_goes_through_nats_is_counted(nats_server: NatsServer, scrape: Scraped) -> None:
    before = await scrape()
    async with Bus(ServiceConfig(nats_url=nats_server.url), "test") as bus:
        arrived = asyncio.Event()

        async def on_message(_: object) -> None:
            arrived.set()

        await bus.subscribe("a.subject", on_message)
        await bus.publish_media("a.subject", b"x" * 100)
        async with asyncio.timeout(10):
            await arrived.wait()
        during = await scrape()
    name = "gnatsd_varz_in_msgs", ""
    assert during[name] > before[name]
    assert during["gnatsd_varz_in_bytes", ""] - before["gnatsd_varz_in_bytes", ""] >= 100
    assert during["gnatsd_varz_connections", ""] == 1
    assert during["gnatsd_connz_subscriptions", ""] >= 1
    assert during["gnatsd_healthz_status_value", "ok"] == 1


async def test_streams_are_told_of(nats_server: NatsServer, scrape: Scraped) -> None:
    async with Bus(ServiceConfig(nats_url=nats_server.url), "test") as bus:
        jetstream = bus.jetstream(5)
        await jetstream.add_stream(name="THINGS", subjects=["things.*"], max_bytes=100_000)
        await jetstream.publish("things.one", b"1")
        found = await scrape()
    assert found["jetstream_stream_total_messages", "THINGS"] == 1
    assert found["jetstream_stream_limit_bytes", "THINGS"] == 100_000
    assert found["jetstream_server_total_streams", ""] == 1
    assert found["gnatsd_varz_jetstream_config_max_storage", ""] > 0


async def test_a_server_that_is_gone_is_told_of_and_then_back(
    nats_server: NatsServer, scrape: Scraped
) -> None:
    await scrape()
    nats_server.stop()
    assert await scrape() == {("gnatsd_healthz_status_value", "unreachable"): 0}
    nats_server.start()
    async with asyncio.timeout(20):
        while ("gnatsd_healthz_status_value", "ok") not in await scrape():
            await asyncio.sleep(0.05)
