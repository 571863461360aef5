"""Stands in for a trace collector: takes OTLP over HTTP, and keeps what it got."""

import gzip
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Status


@dataclass(frozen=True)
class TracedSpan:
    """A span as it came. Ids in hex; times in s since 1970."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    begin: float
    end: float
    failed: bool
    about: dict[str, Any]
    events: dict[str, float]

    @property
    def ms(self) -> float:
        """How long it was."""
        return (self.end - self.begin) * 1000


class Collector:
    """Use it with `with`. It takes what is posted to `url` + /v1/traces."""

    def __init__(self) -> None:
        self.spans: list[TracedSpan] = []
        self.requests: list[bytes] = []
        """The bodies, as they came."""
        self.headers: list[dict[str, str]] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, body: bytes, headers: dict[str, str]) -> None:
        """A batch has come."""
        request = ExportTraceServiceRequest.FromString(body)
        with self._lock:
            self.requests.append(body)
            self.headers.append(headers)
            for resource in request.resource_spans:
                service = _values(resource.resource.attributes).get("service.name", "")
                for scope in resource.scope_spans:
                    self.spans += [_span(service, one) for one in scope.spans]

    def traces(self, **about: object) -> list[list[TracedSpan]]:
        """The traces whose root has these attributes (`turn=1`: parley.turn), root first."""
        with self._lock:
            spans = list(self.spans)
        roots = [
            one
            for one in spans
            if not one.parent
            and all(one.about.get(f"parley.{key}") == value for key, value in about.items())
        ]
        return [
            [root, *(one for one in spans if one.trace == root.trace and one is not root)]
            for root in sorted(roots, key=lambda root: root.begin)
        ]

    def wait(self, found: Callable[[], bool], timeout: float = 20.0) -> None:
        """Return as soon as that is so. Raises TimeoutError."""
        deadline = time.monotonic() + timeout
        while not found():
            if time.monotonic() > deadline:
                raise TimeoutError(f"there is only {[one.name for one in self.spans]}")
            time.sleep(0.05)


def tree(trace: list[TracedSpan]) -> set[str]:
    """Each span of a trace as `parent > name (service)`."""
    names = {one.id: one.name for one in trace}
    return {f"{names.get(one.parent, '')} > {one.name} ({one.service})" for one in trace}


def _span(service: str, span: Any) -> TracedSpan:
    return TracedSpan(
        service,
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.start_time_unix_nano / 1e9,
        span.end_time_unix_nano / 1e9,
        span.status.code == Status.STATUS_CODE_ERROR,
        _values(span.attributes),
        {one.name: one.time_unix_nano / 1e9 for one in span.events},
    )


def _values(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


def _handler(collector: Collector) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            found = self.path == "/v1/traces"
            if found:
                collector.take(body, {k.lower(): v for k, v in self.headers.items()})
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Not to the console."""

    return Handler
