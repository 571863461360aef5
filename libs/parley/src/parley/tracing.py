"""Traces: what each turn's time went into, across services. Off unless configured.

This is all that the services know of OpenTelemetry. While traces are off every span is NOTHING:
no SDK is imported, nothing is kept and nothing is sent. docs/tracing.md lists the spans.

No attribute ever holds what callers or the bot say.
"""

import os
from collections.abc import Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import Protocol, Self

from parley import logs

log = logs.get(__name__)

Value = str | int | float | bool
Headers = Mapping[str, str]

FLUSH_SECONDS = 2.0
"""How long a service that ends waits for its last spans to be sent."""


class Span:
    """A piece of work, from a beginning to an end. This one is not recorded.

    Times are in seconds on the monotonic clock; without one it is now.
    """

    __slots__ = ()

    @property
    def trace_id(self) -> str:
        """The trace that it is recorded in, in hex; empty where it is not recorded."""
        return ""

    @property
    def headers(self) -> dict[str, str] | None:
        """What a message carries so that whoever gets it continues this span (W3C)."""
        return None

    def child(self, name: str, at: float | None = None, *, asks: bool = False) -> "Span":
        """A part of it, begun `at`; `asks`: another service does the work."""
        return self

    def set(self, attributes: Mapping[str, Value]) -> None:
        """What is known about it."""

    def add(self, name: str, amount: int) -> None:
        """Count the amount to an attribute."""

    def lap(self, name: str, since: float | None = None) -> None:
        """Set an attribute to the ms since `since`, or its beginning; the first time counts."""

    def event(self, name: str, at: float | None = None) -> None:
        """Something happened in it."""

    def fail(self, cause: str) -> None:
        """It failed. `cause` is one of few words, never a text."""

    def end(self, at: float | None = None) -> None:
        """It is over; only the first time counts."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()


NOTHING = Span()
"""What all spans are while traces are off."""


class Tracer(Protocol):
    """Makes the spans of a process, and has them sent."""

    def root(self, name: str, at: float | None) -> Span:
        """The first span of a trace."""

    def continued(self, name: str, headers: Headers) -> Span:
        """A span under one of another service's."""

    def shut_down(self, seconds: float) -> None:
        """Send what waits, for so long at most; make no more."""


_tracer: Tracer | None = None
_current: ContextVar[Span] = ContextVar("parley_span", default=NOTHING)


def configure(service: str, collector: str = "") -> None:
    """Send the process's spans to a collector, by OTLP over HTTP.

    `collector` is its base URL; without one it is that of OpenTelemetry's own variables. With
    neither, nothing happens.
    """
    endpoint = _endpoint(collector)
    if not endpoint:
        return
    try:
        from parley.tracing_otel import exporting
    except ImportError:
        reason = "OpenTelemetry is not installed: pip install parley-voice[traces]"
        log.warning("traces are not sent", reason=reason)
        return
    use(exporting(service, endpoint))
    log.info("traces are sent")


def use(tracer: Tracer | None) -> None:
    """From now on this one makes the spans; none: they are off."""
    global _tracer
    _tracer = tracer


def shut_down() -> None:
    """The process ends: its last spans are sent, if the collector takes them in time."""
    tracer = _tracer
    use(None)
    if tracer is not None:
        tracer.shut_down(FLUSH_SECONDS)


def root(name: str, at: float | None = None) -> Span:
    """The first span of a new trace."""
    return NOTHING if _tracer is None else _tracer.root(name, at)


def continued(name: str, headers: Headers | None) -> Span:
    """A span under the one that a message's headers tell of; not recorded if they tell of none."""
    if _tracer is None or not headers or "traceparent" not in headers:
        return NOTHING
    return _tracer.continued(name, headers)


def current() -> Span:
    """The span that this task works for."""
    return _current.get()


def enter(span: Span) -> None:
    """This task, and those that it starts from now on, work for the span."""
    _current.set(span)


def _endpoint(collector: str) -> str:
    env = os.environ
    disabled = env.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if disabled or env.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none":
        return ""
    if not collector and (whole := env.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")):
        return whole
    base = collector or env.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    return f"{base.rstrip('/')}/v1/traces" if base else ""
