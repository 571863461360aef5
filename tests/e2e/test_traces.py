"""Traces of real calls: all services as processes, over NATS, to a collector."""

from collections.abc import Iterator

import numpy as np
import pytest

from parley_cli.call import Options, connect
from support import recordings
from support.collector import Collector, TracedSpan, tree
from support.engine import A_MINUTE, ONE_SENTENCE, Engine, Profiles, reciting
from support.nats import free_port
from support.tool_server import ToolServer, weather

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]

PORT = free_port()
ASKED = "Tell me about the xylophone."
SERVICES = ("gateway", "stt", "agent", "tts")
SLOW = {"text": A_MINUTE, "words_per_second": 4}
PROFILES: Profiles = {
    "one": reciting(ONE_SENTENCE),
    "minute": reciting(A_MINUTE),
    "slow": {"llmProvider": "recite", "llm": SLOW},
    "falters": reciting(
        ONE_SENTENCE,
        voiceProvider="falter",
        voice={"how": "later", "after_ms": 700},
        voiceFallbacks=[{"provider": "hibari"}],
    ),
    "tools": {
        "llmProvider": "recite",
        "llm": {
            "words_per_second": 30,
            "rounds": [
                {"say": "Let me look.", "call": [["weather", {"city": "Rome", "wait": 0}]]},
                {"say": "It is {0}."},
            ],
        },
        "tools": [weather(PORT)],
    },
}
JOBS = {
    " > turn (parley-gateway)",
    "turn > agent attempt (parley-gateway)",
    "agent attempt > claim (parley-gateway)",
    "agent attempt > agent job (parley-agent)",
    "turn > tts attempt (parley-gateway)",
    "tts attempt > claim (parley-gateway)",
    "tts attempt > tts job (parley-tts)",
    "turn > playout (parley-gateway)",
}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[Engine]:
    """Two workers of each stage, and traces on."""
    traces = {"PARLEY_TRACES": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
    settings = {name: dict(traces) for name in SERVICES}
    settings["agent"]["PARLEY_WARM"] = "recite"
    # What FastAPI would send by itself.
    settings["gateway"]["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url
    settings["gateway"]["FASTAPI_OTEL_AUTO_CONFIGURE"] = "true"
    folder = tmp_path_factory.mktemp("traces")
    with Engine(folder, PROFILES, workers=2, settings=settings) as running:
        yield running


def trace_of(
    collector: Collector, conversation: str, *needed: str, jobs: int = 2
) -> list[TracedSpan]:
    """The only trace of a call's first turn, once so many jobs and the needed spans are there."""
    about = {"conversation.id": conversation, "turn": 1}

    def complete() -> bool:
        found = collector.traces(**about)
        spans = found[0] if found else []
        enough = sum(one.name.endswith(" job") for one in spans) >= jobs
        return enough and (JOBS | set(needed)) <= tree(spans)

    collector.wait(complete)
    (trace,) = collector.traces(**about)
    return trace


def named(trace: list[TracedSpan], name: str) -> list[TracedSpan]:
    return sorted((one for one in trace if one.name == name), key=lambda one: one.begin)


async def test_a_spoken_turn_is_one_trace(engine: Engine, collector: Collector) -> None:
    speech = np.frombuffer(recordings.recording("clone-test.wav"), "<i2")
    async with connect(engine.url, Options(agent="one")) as call:
        call.play(speech)
        await call.wait_for("spoken", turn=1, timeout=60, cut_off=False)
        conversation = str(call.ready.data["conversation_id"])
        await call.end()
    heard = "turn > hearing (parley-gateway)", "hearing > recognition (parley-gateway)"
    trace = trace_of(collector, conversation, *heard)
    root = trace[0]
    assert tree(trace) == JOBS | set(heard)
    assert root.about["parley.agent"] == "one"
    assert root.about["parley.outcome"] == "spoken"
    assert root.about["parley.interrupted"] is False
    assert not any(one.failed for one in trace)

    (hearing,), (playout,) = named(trace, "hearing"), named(trace, "playout")
    assert hearing.begin == pytest.approx(root.begin, abs=0.001)
    assert set(hearing.events) == {"end_of_turn", "final_transcription"}
    voice_to_voice = (playout.begin - hearing.begin) * 1000
    assert root.about["parley.voice_to_voice_ms"] == pytest.approx(voice_to_voice, abs=1)
    assert playout.ms > 3000

    agent, tts = named(trace, "agent job")[-1], named(trace, "tts job")[-1]
    assert agent.about["parley.provider"] == "recite"
    assert agent.about["gen_ai.usage.output_tokens"] == len(ONE_SENTENCE.split())
    assert 0 < agent.about["parley.first_token_ms"] < agent.ms
    assert tts.about["parley.provider"] == "hibari"
    assert tts.about["parley.characters"] == len(ONE_SENTENCE)
    assert 0 < tts.about["parley.first_audio_ms"] < tts.ms
    attempts = {one.id: one for one in trace}
    for job in (agent, tts):
        assert job.about["parley.outcome"] == "done"
        assert attempts[job.parent].about["parley.worker"] == job.about["parley.worker"]

    (line,) = engine.turns(conversation)
    assert line["trace_id"] == root.trace


async def test_tools_are_in_it(engine: Engine, collector: Collector) -> None:
    async with ToolServer(PORT), connect(engine.url, Options(agent="tools")) as call:
        await call.text(ASKED)
        await call.wait_for("spoken", turn=1, timeout=30)
        conversation = str(call.ready.data["conversation_id"])
        await call.end()
    trace = trace_of(collector, conversation, "agent job > tool weather (parley-agent)")
    (tool,) = named(trace, "tool weather")
    assert tool.about == {"gen_ai.tool.name": "weather", "parley.outcome": "ok"}


async def test_an_interruption_shows(engine: Engine, collector: Collector) -> None:
    speech = np.frombuffer(recordings.recording("clone-test.wav"), "<i2")
    async with connect(engine.url, Options(agent="minute")) as call:
        await call.text(ASKED)
        await call.wait_for("speaking", turn=1, timeout=30)
        call.play(speech)
        await call.wait_for("interrupted", turn=1, timeout=30)
        conversation = str(call.ready.data["conversation_id"])
        await call.end()
    trace = trace_of(collector, conversation, "turn > interrupt (parley-gateway)")
    (interrupt,) = named(trace, "interrupt")
    assert trace[0].about["parley.interrupted"] is True
    assert set(interrupt.events) == {"last_audio", "decided"}
    assert interrupt.about["parley.interrupt_ms"] > 0


async def test_a_provider_that_fails_shows_and_so_does_who_goes_on(
    engine: Engine, collector: Collector
) -> None:
    async with connect(engine.url, Options(agent="falters")) as call:
        await call.text(ASKED)
        await call.wait_for("spoken", turn=1, timeout=60)
        conversation = str(call.ready.data["conversation_id"])
        await call.end()
    trace = trace_of(collector, conversation, jobs=3)
    attempts, jobs = named(trace, "tts attempt"), named(trace, "tts job")
    assert [one.about["parley.provider"] for one in attempts] == ["falter", "hibari"]
    assert [one.failed for one in attempts] == [one.failed for one in jobs] == [True, False]
    assert attempts[0].about["error.type"] == "provider"
    assert jobs[0].about["error.type"] == "ProviderError"
    assert [one.parent for one in jobs] == [one.id for one in attempts]
    assert not trace[0].failed


async def test_a_worker_that_is_killed_shows_and_so_does_who_goes_on(
    engine: Engine, collector: Collector
) -> None:
    async with connect(engine.url, Options(agent="slow")) as call:
        await call.text(ASKED)
        await call.wait_for("speaking", turn=1, timeout=30)
        (busy,) = engine.busy("agent")
        busy.kill()
        conversation = str(call.ready.data["conversation_id"])
        await call.until(lambda: bool(engine.busy("agent")), 20)
        await call.interrupt()
        await call.wait_for("spoken", turn=1, timeout=20)
        await call.end()
    trace = trace_of(collector, conversation)
    attempts = named(trace, "agent attempt")
    assert [one.failed for one in attempts] == [True, False]
    assert attempts[0].about["error.type"] == "worker"
    # The first worker could send its span no more.
    (job,) = named(trace, "agent job")
    assert job.parent == attempts[1].id
    assert job.about["parley.outcome"] == "cancelled"


async def test_a_call_that_is_resumed_goes_on_in_another_trace(
    engine: Engine, collector: Collector
) -> None:
    async with connect(engine.url, Options(agent="slow")) as call:
        await call.text(ASKED)
        await call.wait_for("speaking", turn=1, timeout=30)
        conversation = str(call.ready.data["conversation_id"])
        call.drop()
        await call.wait_for("ready", resumed=True, timeout=20)
        await call.wait_for("speaking", turn=1, since=len(call.events), timeout=20)
        await call.end()
    about = {"conversation.id": conversation, "turn": 1}
    collector.wait(lambda: len(collector.traces(**about)) == 2)
    outcomes = [one[0].about["parley.outcome"] for one in collector.traces(**about)]
    assert outcomes == ["unfinished", "interrupted"]


async def test_no_words_leave_the_engine(engine: Engine, collector: Collector) -> None:
    async with connect(engine.url, Options(agent="one")) as call:
        await call.text(ASKED)
        await call.wait_for("speaking", turn=1, timeout=30)
        conversation = str(call.ready.data["conversation_id"])
        await call.end()
    trace_of(collector, conversation)
    assert {one.name for one in collector.spans if not one.parent} == {"turn"}
    sent = b"".join(collector.requests).lower()
    assert sent
    said = (b"xylophone", b"museum", b"harbour", b"america", b"sunny", b"rome")
    for word in (*said, b"/conversation"):
        assert word not in sent, word
