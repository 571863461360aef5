"""Spans by OpenTelemetry's SDK: imported only where traces are on.

The process's own tracer provider stays private, so that no provider's SDK adds spans of its own.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import Counter

from parley.tracing import Headers, Span, Value

SPANS = Counter(
    "parley_trace_spans_total",
    "Spans that the collector has got (sent), or has not (lost).",
    ["result"],
)
_W3C = TraceContextTextMapPropagator()


def exporting(service: str, endpoint: str) -> "OtelTracer":
    """Sends the service's spans to the endpoint, in the background.

    What OpenTelemetry's variables say of sampling, batches, headers and the resource holds.
    """
    # Each batch that is lost would be two lines at least: the counter says it.
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)
    resource = Resource.create(
        {"service.name": f"parley-{service}", "service.version": version("parley-voice")}
    ).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    # What waits is bounded, and the oldest is dropped: a collector that is away costs spans only.
    provider.add_span_processor(BatchSpanProcessor(Counted(OTLPSpanExporter(endpoint))))
    return OtelTracer(provider)


class Counted(SpanExporter):
    """An exporter whose results are counted."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send the spans."""
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            sent = result is SpanExportResult.SUCCESS
            SPANS.labels("sent" if sent else "lost").inc(len(spans))
        return result

    def shutdown(self) -> None:
        """Give up what is being sent."""
        self._exporter.shutdown()


class OtelTracer:
    """Makes spans. `clock` is what their times are on (s), `wall` the time of day (ns)."""

    def __init__(
        self,
        provider: TracerProvider,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], int] = time.time_ns,
    ) -> None:
        self.clock = clock
        self._wall = wall
        self._provider = provider
        self._tracer = provider.get_tracer("parley", version("parley-voice"))

    def root(self, name: str, at: float | None) -> Span:
        """The first span of a trace."""
        return self.begin(name, Context(), self._anchor(), at, SpanKind.INTERNAL)

    def continued(self, name: str, headers: Headers) -> Span:
        """A span under one of another service's; one of its own clock."""
        context = _W3C.extract(headers, Context())
        return self.begin(name, context, self._anchor(), None, SpanKind.SERVER)

    def begin(
        self, name: str, context: Context, anchor: int, at: float | None, kind: SpanKind
    ) -> Span:
        """A span in the context; `anchor` + the clock's time (ns) is the time of day."""
        at = self.clock() if at is None else at
        span = self._tracer.start_span(name, context, kind, start_time=anchor + int(at * 1e9))
        return _OtelSpan(self, span, anchor, at)

    def shut_down(self, seconds: float) -> None:
        """Send what waits, for so long at most."""
        # The SDK waits for a collector that is away for as long as it likes.
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(seconds)

    def _anchor(self) -> int:
        return self._wall() - int(self.clock() * 1e9)


class _OtelSpan(Span):
    """A span, recorded if the sampler wants it."""

    __slots__ = ("_anchor", "_began", "_known", "_span", "_tracer")

    def __init__(self, tracer: OtelTracer, span: trace.Span, anchor: int, began: float) -> None:
        self._tracer = tracer
        self._span = span
        self._anchor = anchor
        self._began = began
        self._known: dict[str, float] = {}

    @property
    def trace_id(self) -> str:
        recorded = self._span.get_span_context().trace_flags.sampled
        return trace.format_trace_id(self._span.get_span_context().trace_id) if recorded else ""

    @property
    def headers(self) -> dict[str, str] | None:
        carrier: dict[str, str] = {}
        _W3C.inject(carrier, trace.set_span_in_context(self._span, Context()))
        return carrier

    def child(self, name: str, at: float | None = None, *, asks: bool = False) -> Span:
        context = trace.set_span_in_context(self._span, Context())
        kind = SpanKind.CLIENT if asks else SpanKind.INTERNAL
        return self._tracer.begin(name, context, self._anchor, at, kind)

    def set(self, attributes: Mapping[str, Value]) -> None:
        if self._span.is_recording():
            self._span.set_attributes(dict(attributes))

    def add(self, name: str, amount: int) -> None:
        self._known[name] = total = int(self._known.get(name, 0)) + amount
        self.set({name: total})

    def lap(self, name: str, since: float | None = None) -> None:
        if name not in self._known:
            seconds = self._tracer.clock() - (self._began if since is None else since)
            self._known[name] = round(seconds * 1000, 1)
            self.set({name: self._known[name]})

    def event(self, name: str, at: float | None = None) -> None:
        if self._span.is_recording():
            self._span.add_event(name, timestamp=self._time(at))

    def fail(self, cause: str) -> None:
        if self._span.is_recording():
            self._span.set_status(Status(StatusCode.ERROR, cause))
            self.set({"error.type": cause})

    def end(self, at: float | None = None) -> None:
        if self._span.is_recording():
            self._span.end(self._time(at))

    def _time(self, at: float | None) -> int:
        return self._anchor + int((self._tracer.clock() if at is None else at) * 1e9)
