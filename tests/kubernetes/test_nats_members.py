"""Three real servers with production's configuration: keys, TLS, JetStream; one is lost."""

import asyncio
import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from parley.bus import Bus
from parley.config import ServiceConfig
from parley_cli import nats_keys
from parley_gateway import recorder, store
from parley_gateway.access import spent
from parley_gateway.jetstream import JetStream
from support import nats_chart
from support.manifests import rendered
from support.nats_chart import Member

NAMES = ["nats-0", "nats-1", "nats-2"]
Servers = dict[str, subprocess.Popen[bytes]]


@pytest.fixture
def members() -> list[Member]:
    return [Member() for _ in NAMES]


@pytest.fixture
def servers(tmp_path: Path, members: list[Member]) -> Iterator[Servers]:
    """All three run; each has its files in a folder of its own, as a pod has."""
    keys = tmp_path / "keys"
    nats_keys.write(keys)
    nats_chart.certificates(tmp_path / "tls")
    with contextlib.ExitStack() as stack:
        found = {}
        for number, name in enumerate(NAMES):
            folder = tmp_path / name
            command = nats_chart.configure("production", folder, keys, members, number)
            found[name] = stack.enter_context(nats_chart.running(command, name, folder / "log"))
        yield found


def config(folder: Path, user: str, members: list[Member]) -> ServiceConfig:
    """A service's settings; `localhost` is one of the names in the servers' certificate."""
    return ServiceConfig(
        nats_url=",".join(f"tls://localhost:{one.client}" for one in members),
        nats_seed_file=folder / "keys" / user / "seed",
        nats_ca=folder / "tls" / "ca.crt",
        nats_certificate=folder / "tls" / "client.crt",
        nats_certificate_key=folder / "tls" / "client.key",
    )


async def test_they_keep_what_the_gateway_wants_kept_and_one_may_go(
    tmp_path: Path, members: list[Member], servers: Servers
) -> None:
    environment = rendered("production-hpa").environment("gateway")
    replicas = int(environment["PARLEY_JETSTREAM_REPLICAS"])
    assert replicas == len(NAMES)
    streams = [
        store.bucket_config(60.0, replicas),
        spent.bucket_config(replicas),
        recorder.stream_config(1.0, replicas),
    ]
    async with Bus(config(tmp_path, "gateway", members), "parley-gateway") as bus:
        jetstream = JetStream(bus, streams)
        running = asyncio.create_task(jetstream.run())
        async with asyncio.timeout(60):
            # Streams of three are made by three servers that have found each other.
            await jetstream.wait_ready()
            lost = bus.server.name
            servers[lost].kill()
            await bus.wait_disconnected()
            await bus.wait_connected()
            assert bus.server.name in set(NAMES) - {lost}
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_an_operator_comes_by_a_forwarded_port_of_one(
    tmp_path: Path, members: list[Member], servers: Servers
) -> None:
    async with Bus(config(tmp_path, "operator", members[:1]), "parley-operator") as bus:
        assert bus.server.name == NAMES[0]
    assert len(servers) == len(NAMES)
