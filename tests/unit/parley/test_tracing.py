"""Spans: their times and parents, what they carry to other services, and that they can be off."""

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import SpanKind, StatusCode
from structlog.testing import capture_logs

from parley import tracing
from parley.tracing import NOTHING
from support.spans import Spans, about, events, recording, times, traceparent

VARIABLES = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_SDK_DISABLED",
    "OTEL_TRACES_EXPORTER",
)


@pytest.fixture
def spans() -> Iterator[Spans]:
    with recording() as found:
        yield found


def test_while_traces_are_off_a_span_is_nothing() -> None:
    span = tracing.root("turn")
    assert span is NOTHING
    assert span.child("claim") is NOTHING
    assert tracing.continued("job", {"traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01"}) is (
        NOTHING
    )
    span.set({"a": 1})
    span.fail("worker")
    span.end()
    assert (span.trace_id, span.headers) == ("", None)


def test_times_are_those_of_the_clock_at_the_time_of_day(spans: Spans) -> None:
    root = tracing.root("turn", at=99.5)
    child = root.child("hearing", at=99.75)
    spans.now = 101.0
    child.event("end_of_turn", at=100.25)
    child.end()
    spans.now = 102.0
    root.end(at=101.5)
    root.end(at=103.0)
    assert times(spans["turn"]) == (99.5, 101.5)
    assert times(spans["hearing"]) == (99.75, 101.0)
    assert events(spans["hearing"]) == {"end_of_turn": 100.25}
    assert spans.parent("hearing") == "turn"


def test_a_clock_that_is_set_meanwhile_does_not_bend_a_trace(
    spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tracing.root("turn")
    monkeypatch.setattr("support.spans.EPOCH", 1.7e9 + 3600)
    child = root.child("claim")
    monkeypatch.undo()
    child.end()
    root.end()
    assert times(spans["claim"]) == times(spans["turn"]) == (100.0, 100.0)


def test_another_service_continues_the_span(spans: Spans) -> None:
    with tracing.root("turn") as root, root.child("agent attempt", asks=True) as attempt:
        headers = attempt.headers
        with tracing.continued("agent job", headers) as job:
            assert job.trace_id == root.trace_id
    assert headers is not None
    assert headers["traceparent"].startswith(traceparent(spans["agent attempt"]))
    assert spans.parent("agent job") == "agent attempt"
    kinds = spans["agent attempt"].kind, spans["agent job"].kind
    assert kinds == (SpanKind.CLIENT, SpanKind.SERVER)


@pytest.mark.parametrize("headers", [None, {}, {"Nats-Msg-Id": "1"}])
def test_a_message_without_a_trace_begins_none(
    spans: Spans, headers: dict[str, str] | None
) -> None:
    tracing.continued("stt job", headers).end()
    assert spans.names == []


@pytest.mark.parametrize("value", ["", "nonsense", "00-0-0-01", "00-" + "0" * 32 + "-1-01"])
def test_a_header_that_means_nothing_does_no_harm(spans: Spans, value: str) -> None:
    tracing.continued("agent job", {"traceparent": value}).end()
    assert spans["agent job"].parent is None


def test_what_is_not_sampled_is_sampled_nowhere() -> None:
    with recording(ParentBased(ALWAYS_OFF)) as spans:
        root = tracing.root("turn")
        assert root.trace_id == ""
        headers = root.headers
        assert headers is not None
        assert int(headers["traceparent"][-2:], 16) & 1 == 0
        with tracing.continued("agent job", headers) as job:
            job.set({"a": 1})
            job.lap("b")
        root.end()
    assert spans.names == []


def test_amounts_add_up_and_the_first_lap_counts(spans: Spans) -> None:
    with tracing.root("tts job") as span:
        span.add("parley.characters", 10)
        span.add("parley.characters", 32)
        spans.now = 100.2
        span.lap("parley.first_audio_ms", since=100.15)
        span.lap("parley.first_audio_ms")
        span.lap("parley.first_token_ms")
    assert about(spans["tts job"]) == {
        "parley.characters": 42,
        "parley.first_audio_ms": 50.0,
        "parley.first_token_ms": 200.0,
    }


def test_a_failure_has_a_cause_and_no_text(spans: Spans) -> None:
    with tracing.root("agent job") as span:
        span.fail("ProviderError")
    failed = spans["agent job"]
    assert failed.status.status_code is StatusCode.ERROR
    assert about(failed) == {"error.type": "ProviderError"}
    assert failed.events == ()


def test_what_is_told_too_late_is_left_out(spans: Spans) -> None:
    span = tracing.root("tts attempt")
    span.end()
    span.set({"parley.outcome": "cancelled"})
    span.event("late")
    span.fail("worker")
    assert about(spans["tts attempt"]) == {}
    assert spans["tts attempt"].status.status_code is StatusCode.UNSET


@pytest.mark.parametrize(
    ("collector", "env", "endpoint"),
    [
        ("", {}, ""),
        ("", {"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, ""),
        ("http://a:4318", {}, "http://a:4318/v1/traces"),
        ("http://a:4318/", {}, "http://a:4318/v1/traces"),
        ("", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://b:4318"}, "http://b:4318/v1/traces"),
        ("", {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/take"}, "http://c/take"),
        ("http://a:4318", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://b"}, "http://a:4318/v1/traces"),
        ("http://a:4318", {"OTEL_SDK_DISABLED": "true"}, ""),
        ("http://a:4318", {"OTEL_TRACES_EXPORTER": "none"}, ""),
    ],
)
def test_where_spans_go(
    monkeypatch: pytest.MonkeyPatch, collector: str, env: dict[str, str], endpoint: str
) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert tracing._endpoint(collector) == endpoint


def test_without_the_extra_a_service_says_so_and_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "parley.tracing_otel", None)
    with capture_logs() as logged:
        tracing.configure("gateway", "http://127.0.0.1:4318")
    assert [line["event"] for line in logged] == ["traces are not sent"]
    assert tracing.root("turn") is NOTHING
