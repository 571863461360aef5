"""The spans that this process makes, kept in memory, on a clock that a test moves."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Sampler
from opentelemetry.trace import format_span_id, format_trace_id

from parley import tracing
from parley.tracing_otel import OtelTracer

EPOCH = 1_700_000_000.0
"""The time of day at which the clock shows 0 (s)."""


class Spans:
    """What was recorded. `now` is the clock (s)."""

    def __init__(self) -> None:
        self.now = 100.0
        self.exporter = InMemorySpanExporter()

    def __getitem__(self, name: str) -> ReadableSpan:
        """The only span of that name."""
        (found,) = self.named(name)
        return found

    @property
    def names(self) -> list[str]:
        """In the order in which they ended."""
        return [one.name for one in self.exporter.get_finished_spans()]

    def named(self, name: str) -> list[ReadableSpan]:
        """All spans of that name."""
        return [one for one in self.exporter.get_finished_spans() if one.name == name]

    def parent(self, name: str) -> str | None:
        """The name of a span's parent; None for a root."""
        parent = self[name].parent
        if parent is None:
            return None
        spans = {one.context.span_id: one.name for one in self.exporter.get_finished_spans()}
        return spans[parent.span_id]


def times(span: ReadableSpan) -> tuple[float, float]:
    """From when to when on the test's clock (s)."""
    return clock_time(span.start_time), clock_time(span.end_time)


def clock_time(ns: int | None) -> float:
    """A span's time on the test's clock (s)."""
    assert ns is not None
    return round(ns / 1e9 - EPOCH, 3)


def events(span: ReadableSpan) -> dict[str, float]:
    """When its events were on the test's clock (s)."""
    return {one.name: clock_time(one.timestamp) for one in span.events}


def about(span: ReadableSpan) -> Mapping[str, Any]:
    """Its attributes."""
    return span.attributes or {}


def traceparent(span: ReadableSpan) -> str:
    """As a message's header has it, but for the flags at its end."""
    ids = format_trace_id(span.context.trace_id), format_span_id(span.context.span_id)
    return f"00-{ids[0]}-{ids[1]}-"


@contextlib.contextmanager
def recording(sampler: Sampler | None = None) -> Iterator[Spans]:
    """Traces are on."""
    spans = Spans()
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans.exporter))
    tracing.use(OtelTracer(provider, lambda: spans.now, lambda: int((EPOCH + spans.now) * 1e9)))
    try:
        yield spans
    finally:
        tracing.use(None)
