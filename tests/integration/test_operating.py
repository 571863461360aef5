"""Orders to one worker or gateway, and what they announce, over a real NATS server."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from unittest.mock import AsyncMock

import pytest
from rich.console import Console

from parley import subjects
from parley.bus import Bus
from parley.job import Job
from parley.messages import JobRequest, WorkerStatus
from parley.operating import Drain
from parley.profiles import Profile
from parley.subjects import Stage
from parley.worker import JobRun, Worker
from parley_cli import calls, operator
from parley_cli.calls import Wanted
from parley_cli.drain import drain
from parley_cli.errors import Failure, Usage
from parley_cli.top import top
from parley_gateway.call import Call
from parley_gateway.operating import MAX_CALLS, Operating
from support.gateways import Running, StartGateway
from support.keeping import until
from support.nats import NatsServer


class Handler:
    """Its jobs end when a test says so."""

    def __init__(self) -> None:
        self.done = asyncio.Event()

    def open(self, request: JobRequest) -> JobRun:
        return self._run

    async def _run(self, job: Job) -> None:
        await self.done.wait()


@asynccontextmanager
async def working(bus: Bus, handler: Handler) -> AsyncIterator[tuple[Worker, asyncio.Task[None]]]:
    worker = Worker(bus, Stage.TTS, handler, capacity=2, drain_seconds=20.0)
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(20):
        while not worker.offering:
            await asyncio.sleep(0.01)
    yield worker, running
    worker.stop()
    await running


@asynccontextmanager
async def operated(gateway: Running) -> AsyncIterator[tuple[Operating, asyncio.Event]]:
    """A gateway that operators can see. The event: it was told to drain."""
    told = asyncio.Event()
    operating = Operating(gateway.kept.bus, gateway.gateway, told.set)
    running = asyncio.create_task(operating.run())
    yield operating, told
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def console() -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, width=200), file


async def test_a_worker_that_is_told_to_drain_ends_its_jobs_and_goes(
    bus: Bus, nats_server: NatsServer, shared_nats: NatsServer
) -> None:
    handler, (out, printed) = Handler(), console()
    async with working(bus, handler) as (worker, running):
        request = JobRequest(stage=Stage.TTS, conversation_id="c1", turn=1, attempt=1, spec={})
        await bus.request(subjects.job(Stage.TTS), request, 2.0)
        draining = asyncio.create_task(drain(shared_nats.url, worker.id, 30.0, out))
        await until(lambda: not worker.offering)
        assert not running.done()
        # The job is still there: it is told, and waited for.
        await until(lambda: "1 job" in printed.getvalue())
        handler.done.set()
        async with asyncio.timeout(20):
            await draining
            await running
    lines = printed.getvalue().splitlines()
    assert lines[0].startswith(f"{worker.id} on ")
    assert "calls wait until another tts worker is up" in lines[1]
    assert lines[-1].startswith(f"{worker.id}: gone, after ")


async def test_an_order_reaches_one_worker_only(bus: Bus, shared_nats: NatsServer) -> None:
    async with working(bus, Handler()) as (one, _), working(bus, Handler()) as (other, _):
        answer = await bus.request(subjects.operate(one.id), Drain(), 2.0)
        assert isinstance(answer, WorkerStatus)
        assert (answer.worker_id, answer.state) == (one.id, "draining")
        await until(lambda: not one.offering)
        assert other.offering


async def test_nobody_of_that_name(shared_nats: NatsServer, bus: Bus) -> None:
    out, _ = console()
    async with working(bus, Handler()) as (worker, _):
        with pytest.raises(Failure, match=f"no worker or gateway tts-0.*{worker.id}"):
            await drain(shared_nats.url, "tts-0", 5.0, out)
        for bad in ("tts", "tts-*", "tts-a.b", ">"):
            with pytest.raises(Usage):
                await drain(shared_nats.url, bad, 5.0, out)


async def test_top_says_what_is_there(start_gateway: StartGateway, nats_server: NatsServer) -> None:
    gateway = await start_gateway()
    caller = await gateway.call(agent="tess")
    caller.conversation.standing = ("speaking", 3)
    caller.conversation.record("turn", "turn-1-0", turn=1, voice_to_voice_ms=612.0)
    async with operated(gateway) as (operating, _):
        out, printed = console()
        await top(nats_server.url, once=True, as_json=True, console=out)
    found = json.loads(printed.getvalue())
    (shown,) = found["calls"]
    assert (shown["id"], shown["agent"]) == (caller.conversation.id, "tess")
    assert (shown["state"], shown["turn"], shown["gateway"]) == ("speaking", 3, operating.id)
    assert 0 <= shown["age_seconds"] < 60
    assert found["latency"] == {"turns": 1, "p50_ms": 612.0, "p95_ms": 612.0}
    (status,) = found["gateways"]
    assert (status["running"], status["capacity"], status["keeps"]) == (1, 10, True)
    assert found["nats"]["address"] == nats_server.url.removeprefix("nats://")
    assert found["nats"]["records"][0] >= 1
    await caller.end()


async def test_a_call_that_cannot_be_ended_well_is_over_all_the_same(
    start_gateway: StartGateway,
) -> None:
    gateway = await start_gateway()
    caller = await gateway.call()
    caller.conversation.close = AsyncMock(side_effect=RuntimeError("broken"))  # type: ignore[method-assign]
    caller.vanish()
    await until(lambda: gateway.gateway.admission.active == 0)
    assert gateway.gateway.shared.live.calls() == []


async def test_nobody_speaks_for_another(bus: Bus, shared_nats: NatsServer) -> None:
    """A stolen credential of tts can only publish on the subjects of tts."""
    liar = WorkerStatus(worker_id="stt-liar", stage=Stage.STT, capacity=9, running=0, state="ready")
    out, printed = console()
    showing = asyncio.create_task(top(shared_nats.url, once=True, as_json=True, console=out))
    while not showing.done():
        await bus.publish(subjects.worker(Stage.TTS, "stt-liar"), liar)
        await asyncio.sleep(0.1)
    await showing
    assert "stt-liar" not in printed.getvalue()


async def test_a_gateway_with_very_many_calls_still_answers(
    start_gateway: StartGateway, nats_server: NatsServer
) -> None:
    gateway = await start_gateway()
    one = Call("0123456789abcdef", "an-agent-with-a-long-name", Profile(), 0.0)
    for _ in range(10_000):
        gateway.gateway.shared.live.add(one, lambda: ("interrupted", 1000))
    async with operated(gateway):
        out, printed = console()
        await top(nats_server.url, once=True, as_json=True, console=out)
    found = json.loads(printed.getvalue())
    assert found["gateways"][0]["calls_known"]
    assert len(found["calls"]) == MAX_CALLS


async def test_a_gateway_is_told_to_drain_and_says_when_it_is_gone(
    start_gateway: StartGateway, nats_server: NatsServer
) -> None:
    gateway = await start_gateway()
    out, printed = console()
    async with operated(gateway) as (operating, told):
        draining = asyncio.create_task(drain(nats_server.url, operating.id, 30.0, out))
        async with asyncio.timeout(20):
            await told.wait()
    async with asyncio.timeout(20):
        await draining
    assert "no calls are taken until another gateway is up" in printed.getvalue()
    assert ": gone, after" in printed.getvalue()


async def test_calls_that_go_on_and_calls_that_are_over(
    start_gateway: StartGateway, nats_server: NatsServer
) -> None:
    gateway = await start_gateway()
    over = await gateway.call(agent="tess")
    await over.end()
    going_on = await gateway.call()
    async with asyncio.timeout(20):
        await gateway.kept.recorder.flush()
    async with operated(gateway):
        found = [one["id"] for one in await listed(nats_server)]
        ended = [one["reason"] for one in await listed(nats_server, state="ended")]
        tess = [one["id"] for one in await listed(nats_server, agent="tess")]
        newest = await listed(nats_server, limit=1)
    assert found == [going_on.conversation.id, over.conversation.id]
    assert ended == ["hang_up"]
    assert tess == [over.conversation.id]
    assert [one["live"] for one in newest] == [True]
    await going_on.end()


async def listed(nats_server: NatsServer, **wanted: object) -> list[dict[str, object]]:
    out, printed = console()
    await calls.calls(nats_server.url, Wanted(**wanted), as_json=True, console=out)  # type: ignore[arg-type]
    found = json.loads(printed.getvalue())
    assert isinstance(found, list)
    return found


async def test_without_records_the_live_calls_are_listed_all_the_same(
    nats_server: NatsServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await listed(nats_server) == []
    assert "PARLEY_RECORD_HOURS" in capsys.readouterr().err
    bare = NatsServer(jetstream=False)
    bare.start()
    try:
        assert await listed(bare) == []
    finally:
        bare.stop()
    assert "no JetStream" in capsys.readouterr().err


async def test_a_long_history_is_read_from_its_end(
    start_gateway: StartGateway, nats_server: NatsServer
) -> None:
    gateway = await start_gateway()
    for number in range(300):
        gateway.kept.recorder.record(f"c{number}", "started", "started", agent="tess")
    async with asyncio.timeout(60):
        await gateway.kept.recorder.flush()
    found = [one["id"] for one in await listed(nats_server, limit=100)]
    assert len(found) == 100
    assert set(found) <= {f"c{number}" for number in range(150, 300)}


async def test_no_nats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator, "CONNECT_SECONDS", 0.2)
    with pytest.raises(Failure, match="--nats-url"):
        async with operator.connected("nats://127.0.0.1:1"):
            pass
