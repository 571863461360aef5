"""A turn's trace, made of its timeline."""

from collections.abc import Iterator

import pytest
from opentelemetry.trace import StatusCode
from structlog.testing import capture_logs

from parley import tracing
from parley.subjects import Stage
from parley_gateway.timeline import Timeline
from parley_gateway.turn_trace import CallTraces, Interruption
from support.spans import Spans, about, events, recording, times


@pytest.fixture
def spans() -> Iterator[Spans]:
    with recording() as found:
        yield found


def spoken_turn(traces: CallTraces) -> Timeline:
    """One whose stages are known, and whose jobs are under way."""
    timeline = Timeline(3, traces.turn(3))
    reached = {"speech_end": 99.0, "final_transcription": 99.4, "end_of_turn": 99.5}
    replied = {"first_token": 99.7, "first_audio": 99.9, "first_delivered": 100.0, "heard": 104.0}
    for stage, at in {**reached, **replied}.items():
        timeline.mark(stage, at)
    timeline.recognition_ms = 100.0
    return timeline


def test_a_turn_is_a_trace(spans: Spans) -> None:
    timeline = spoken_turn(CallTraces("c0ffee", "shop"))
    with timeline.attempt(Stage.AGENT, "openai"), timeline.attempt(Stage.TTS, "hibari"):
        pass
    timeline.finish("c0ffee", "spoken")

    assert spans["turn"].parent is None
    assert about(spans["turn"]) == {
        "parley.conversation.id": "c0ffee",
        "parley.agent": "shop",
        "parley.turn": 3,
        "parley.outcome": "spoken",
        "parley.interrupted": False,
        "parley.voice_to_voice_ms": 1000.0,
    }
    assert times(spans["turn"]) == (99.0, 104.0)
    assert events(spans["turn"]) == {"first_token": 99.7, "first_audio": 99.9}
    assert times(spans["hearing"]) == (99.0, 99.5)
    assert events(spans["hearing"]) == {"end_of_turn": 99.5, "final_transcription": 99.4}
    assert times(spans["recognition"]) == (99.3, 99.4)
    assert times(spans["playout"]) == (100.0, 104.0)
    parents = {name: spans.parent(name) for name in spans.names}
    assert parents == {
        "agent attempt": "turn",
        "tts attempt": "turn",
        "recognition": "hearing",
        "hearing": "turn",
        "playout": "turn",
        "turn": None,
    }
    assert about(spans["agent attempt"]) == {"parley.provider": "openai"}


def test_its_log_line_has_the_traces_id(spans: Spans) -> None:
    timeline = spoken_turn(CallTraces("c0ffee", "shop"))
    timeline.attempt(Stage.TTS, "hibari").end()
    with capture_logs() as logged:
        timeline.finish("c0ffee", "spoken")
    assert logged[0]["trace_id"] == f"{spans['turn'].context.trace_id:032x}"


def test_without_traces_its_log_line_has_none() -> None:
    timeline = spoken_turn(CallTraces("c0ffee", "shop"))
    timeline.attempt(Stage.TTS, "hibari").end()
    with capture_logs() as logged:
        timeline.finish("c0ffee", "spoken")
    assert "trace_id" not in logged[0]


def test_an_interruption_from_the_first_voice_to_the_last_audio(spans: Spans) -> None:
    timeline = spoken_turn(CallTraces("c0ffee", "shop"))
    attempt = timeline.attempt(Stage.TTS, "hibari")
    timeline.interruption = Interruption(onset=102.0, silent=102.15, decided=102.4)
    timeline.finish("c0ffee", "interrupted")
    attempt.fail("too late")
    attempt.set({"parley.outcome": "lost"})
    assert about(spans["turn"])["parley.interrupted"] is True
    assert times(spans["interrupt"]) == (102.0, 102.4)
    assert events(spans["interrupt"]) == {"last_audio": 102.15, "decided": 102.4}
    assert about(spans["interrupt"]) == {"parley.interrupt_ms": 150.0}
    assert spans["tts attempt"].status.status_code is StatusCode.UNSET
    assert about(spans["tts attempt"])["parley.outcome"] == "cancelled"


def test_a_reply_begun_early_is_in_the_same_trace(spans: Spans) -> None:
    traces = CallTraces("c0ffee", "shop")
    early = Timeline(1, traces.turn(1)).copy()
    early.mark("speech_end", 99.0)
    early.attempt(Stage.AGENT, "openai").end()
    early.trace.set({"parley.early_reply": "dropped"})
    later = Timeline(1, traces.turn(1))
    later.mark("speech_end", 101.0)
    later.attempt(Stage.AGENT, "openai").end()
    later.trace.set({"parley.early_reply": "used"})
    later.finish("c0ffee", "spoken")
    assert len({one.context.trace_id for one in spans.exporter.get_finished_spans()}) == 1
    assert len(spans.named("agent attempt")) == 2
    assert spans["turn"].start_time == min(
        one.start_time or 0 for one in spans.exporter.get_finished_spans()
    )
    assert about(spans["turn"])["parley.early_reply"] == "used"


def test_each_turn_has_a_trace_of_its_own(spans: Spans) -> None:
    traces = CallTraces("c0ffee", "shop")
    for turn in (1, 2, 2):
        timeline = Timeline(turn, traces.turn(turn))
        timeline.attempt(Stage.TTS, "hibari").end()
        timeline.finish("c0ffee", "spoken")
    assert len({one.context.trace_id for one in spans.named("turn")}) == 3


def test_a_call_that_ends_ends_the_turn_under_way(spans: Spans) -> None:
    traces = CallTraces("c0ffee", "shop")
    Timeline(1, traces.turn(1)).attempt(Stage.TTS, "hibari")
    traces.turn(2)
    traces.close()
    traces.close()
    assert spans.names == ["tts attempt", "turn"]
    assert about(spans["turn"])["parley.outcome"] == "unfinished"


def test_lost_hearing_and_a_lost_reply_show(spans: Spans) -> None:
    traces = CallTraces("c0ffee", "shop")
    traces.turn(1).hearing_lost(98.0)
    timeline = Timeline(1, traces.turn(1))
    timeline.attempt(Stage.AGENT, "openai").fail("worker")
    timeline.finish("c0ffee", "failed")
    assert events(spans["turn"]) == {"hearing_lost": 98.0}
    assert spans["turn"].status.status_code is StatusCode.ERROR
    assert spans["agent attempt"].status.status_code is StatusCode.ERROR


def test_a_turn_that_began_no_work_leaves_no_trace(spans: Spans) -> None:
    Timeline(1, CallTraces("c0ffee", "shop").turn(1)).finish("c0ffee", "silent")
    assert spans.names == []
    assert tracing.current() is tracing.NOTHING
