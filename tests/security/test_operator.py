"""What an operator does by hand, under the permissions that are shipped."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from parley import subjects
from parley.bus import Bus, RequestTimeout
from parley.config import ServiceConfig
from parley.operating import CallsWanted, Drain
from parley.subjects import Stage
from parley.worker import Worker
from parley_cli import calls, replay
from parley_cli.calls import Wanted
from parley_cli.drain import drain
from parley_cli.errors import Failure
from parley_cli.top import top
from parley_gateway.jetstream import JetStream
from parley_gateway.live import Live
from parley_gateway.operating import Operating
from parley_gateway.recorder import Recorder, stream_config
from support.secured import SecuredNats


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredNats]:
    server = SecuredNats(tmp_path_factory.mktemp("nats"))
    server.start()
    yield server
    server.stop()


def bus(nats: SecuredNats, user: str) -> Bus:
    seed = nats.settings(user)["PARLEY_NATS_SEED_FILE"]
    config = ServiceConfig(nats_url=nats.url, nats_seed_file=Path(seed))
    return Bus(config, f"parley-{user}")


@asynccontextmanager
async def a_gateway(nats: SecuredNats) -> AsyncIterator[tuple[Operating, asyncio.Event]]:
    """What of a gateway operators see, with one conversation on record. The event: drain."""
    told = asyncio.Event()
    shared = SimpleNamespace(store=SimpleNamespace(available=True), live=Live())
    detail = {"state": "ready", "running": 0, "capacity": 5}
    gateway: Any = SimpleNamespace(readiness=lambda: (True, detail), shared=shared)
    async with bus(nats, "gateway") as connected:
        jetstream = JetStream(connected, [stream_config(1.0, 1)])
        recorder, operating = Recorder(jetstream), Operating(connected, gateway, told.set)
        tasks = [asyncio.create_task(one.run()) for one in (jetstream, recorder, operating)]
        recorder.record("0123456789abcdef", "started", "started", agent="tess")
        async with asyncio.timeout(20):
            await recorder.flush()
        yield operating, told
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def a_worker(nats: SecuredNats) -> AsyncIterator[Worker]:
    handler: Any = None
    async with bus(nats, "tts") as connected:
        worker = Worker(connected, Stage.TTS, handler, capacity=1)
        running = asyncio.create_task(worker.run())
        async with asyncio.timeout(20):
            while not worker.offering:
                await asyncio.sleep(0.01)
        await connected.flush()
        yield worker
        worker.stop()
        await running


@pytest.fixture
def as_operator(nats: SecuredNats, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in nats.settings("operator").items():
        monkeypatch.setenv(name, value)


async def test_an_operator_may_do_what_the_commands_do(
    nats: SecuredNats, as_operator: None
) -> None:
    file = io.StringIO()
    out = Console(file=file, width=200)
    async with a_gateway(nats) as (operating, told), a_worker(nats) as worker:
        await top(None, once=True, as_json=True, console=out)
        seen = json.loads(file.getvalue())
        assert [one["id"] for one in seen["gateways"]] == [operating.id]
        assert seen["gateways"][0]["calls_known"]
        assert [one["id"] for one in seen["workers"]] == [worker.id]
        assert seen["nats"]["records"][0] >= 1
        await calls.calls(None, Wanted(), as_json=False, console=out)
        assert "0123456789abcdef" in file.getvalue().splitlines()[-1]
        (event,) = await replay.read(None, "0123456789abcdef")
        assert event.fields["agent"] == "tess"
        await drain(None, worker.id, 20.0, out)
        assert f"{worker.id}: gone" in file.getvalue()
        with pytest.raises(Failure, match="still drains"):
            await drain(None, operating.id, 0.5, out)
        assert told.is_set()


@pytest.mark.parametrize("user", ["gateway", "stt", "agent", "tts"])
async def test_nobody_else_gives_orders(nats: SecuredNats, user: str) -> None:
    async with a_gateway(nats) as (operating, told), a_worker(nats) as worker:
        async with bus(nats, user) as thief:
            for target, order in ((worker.id, Drain()), (operating.id, CallsWanted())):
                with pytest.raises(RequestTimeout):
                    await thief.request(subjects.operate(target), order, 0.5)
        assert worker.offering
        assert not told.is_set()
