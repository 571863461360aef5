"""Traces in a process of its own, and over a real NATS: off, on, and with nobody to take them."""

import socket
import subprocess
import sys
import time

import pytest

from parley import job as worker_job
from parley.bus import Bus
from parley.messages import ReplyText, Retry
from parley.providers import ProviderError
from parley.subjects import Stage
from parley_gateway import jobs, liveness
from parley_gateway.claims import claim
from parley_gateway.jobs import JobLost, NoCapacity
from parley_gateway.turn_trace import CallTraces
from support.collector import Collector
from support.spans import about, recording
from support.working import SPEC, Handler, channel, forever, say_three, working

SERVICE = """
import sys
from parley import service, tracing
from parley.config import ServiceConfig

async def main(stop):
    for turn in range({turns}):
        with tracing.root("turn") as root:
            root.set({{"parley.turn": turn}})
            root.child("claim").end()

code = service.run("gateway", ServiceConfig(), main)
print(*(name for name in sys.modules if name.startswith(("opentelemetry", "parley.tracing"))))
sys.exit(code)
"""


def run_service(turns: int = 1, **env: str) -> tuple[set[str], float]:
    """What a service that makes spans has imported, and how long (s) it took."""
    began = time.monotonic()
    run = subprocess.run(
        [sys.executable, "-c", SERVICE.format(turns=turns)],
        capture_output=True,
        text=True,
        check=True,
        env=env,
        timeout=60,
    )
    return set(run.stdout.split()), time.monotonic() - began


@pytest.mark.parametrize("service", ["gateway", "stt", "agent", "tts"])
def test_while_they_are_off_nothing_is_imported(service: str) -> None:
    used = "from parley import tracing; tracing.configure('x'); tracing.root('turn').end()"
    code = f"import parley_{service}.main, sys; {used}; print(*sys.modules, sep='\\n')"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={}
    )
    modules = set(run.stdout.split())
    assert "parley.tracing" in modules
    # FastAPI imports the API, which does nothing by itself.
    assert not modules & {"parley.tracing_otel", "opentelemetry.sdk", "opentelemetry.exporter"}


def test_what_waits_is_sent_as_the_process_ends() -> None:
    with Collector() as collector:
        modules, _ = run_service(
            turns=3,
            PARLEY_TRACES=collector.url,
            OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20abc",
            OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test",
        )
        traces = collector.traces()
        headers = collector.headers
    assert "opentelemetry.sdk.trace" in modules
    assert [[one.name for one in trace] for trace in traces] == [["turn", "claim"]] * 3
    assert {one.service for one in collector.spans} == {"parley-gateway"}
    assert {one["authorization"] for one in headers} == {"Bearer abc"}


def test_the_standard_variables_choose_what_is_sampled() -> None:
    with Collector() as collector:
        run_service(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_TRACES_SAMPLER="always_off")
        assert collector.spans == []
        run_service(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_SERVICE_NAME="mine")
    assert {one.service for one in collector.spans} == {"mine"}


def test_a_collector_that_never_answers_does_not_keep_the_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        _, took = run_service(turns=3_000, PARLEY_TRACES=url, OTEL_EXPORTER_OTLP_TIMEOUT="50")
    assert took < 30


async def test_the_worker_continues_the_trace_that_the_claim_brings(bus: Bus) -> None:
    with recording() as spans:
        turn = CallTraces("c0ffee", "shop").turn(1)
        async with working(bus, Handler(say_three)), channel(bus) as agent:
            span = turn.attempt(Stage.AGENT, "test", None)
            claimed = await claim(agent, 1, SPEC, span=span)
            texts = [item.text async for item in claimed.output() if isinstance(item, ReplyText)]
        turn.finish("spoken", {})
    assert texts == ["0", "1", "2"]
    parents = {name: spans.parent(name) for name in spans.names}
    assert parents == {
        "claim": "agent attempt",
        "agent job": "agent attempt",
        "agent attempt": "turn",
        "turn": None,
    }
    attempt, job = about(spans["agent attempt"]), about(spans["agent job"])
    assert attempt["parley.worker"] == job["parley.worker"]
    assert attempt["parley.outcome"] == job["parley.outcome"] == "done"


async def test_a_job_of_no_turn_is_in_no_trace(bus: Bus) -> None:
    with recording() as spans:
        async with working(bus, Handler(say_three)), channel(bus) as agent:
            claimed = await claim(agent, 0, SPEC)
            async for _ in claimed.output():
                pass
    assert spans.names == []


async def test_what_fails_in_the_worker_fails_on_both_sides(bus: Bus) -> None:
    async def fail(job: worker_job.Job) -> None:
        raise ProviderError("it said: the caller's secret", Retry.NOW)

    with recording() as spans:
        turn = CallTraces("c0ffee", "shop").turn(1)
        async with working(bus, Handler(fail)), channel(bus) as agent:
            claimed = await claim(agent, 1, SPEC, span=turn.attempt(Stage.AGENT, "test", None))
            with pytest.raises(JobLost):
                async for _ in claimed.output():
                    pass
        turn.finish("failed", {})
    assert about(spans["agent job"])["error.type"] == "ProviderError"
    assert about(spans["agent attempt"])["error.type"] == "provider"
    assert "secret" not in "".join(one.to_json() for one in spans.exporter.get_finished_spans())


async def test_a_worker_that_falls_silent_fails_the_attempt(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_job, "HEARTBEAT_SECONDS", 1e6)
    monkeypatch.setattr(jobs, "LOST_SECONDS", 0.1)
    monkeypatch.setattr(jobs, "PROBE_SECONDS", 0.05)
    monkeypatch.setattr(liveness, "PROBE_SECONDS", 0.05)
    with recording() as spans:
        turn = CallTraces("c0ffee", "shop").turn(1)
        async with working(bus, Handler(forever)), channel(bus) as agent:
            claimed = await claim(agent, 1, SPEC, span=turn.attempt(Stage.AGENT, "test", None))
            with pytest.raises(JobLost):
                async for _ in claimed.output():
                    pass
        turn.finish("failed", {})
    attempt = about(spans["agent attempt"])
    assert (attempt["error.type"], attempt["parley.outcome"]) == ("worker", "lost")


async def test_a_claim_that_nobody_takes_fails_the_attempt(bus: Bus) -> None:
    with recording() as spans:
        turn = CallTraces("c0ffee", "shop").turn(1)
        async with channel(bus) as agent:
            span = turn.attempt(Stage.AGENT, "test", None)
            with pytest.raises(NoCapacity):
                await claim(agent, 1, SPEC, patience=0.1, span=span)
        turn.finish("failed", {})
    assert about(spans["agent attempt"])["error.type"] == "no_capacity"
    assert spans.names == ["claim", "agent attempt", "turn"]
