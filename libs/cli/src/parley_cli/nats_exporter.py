"""`parley nats-exporter`: reads a NATS server's monitoring port whenever Prometheus asks."""

import asyncio
from collections.abc import Iterable

import httpx
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from parley import health, logs, service
from parley.config import ServiceConfig
from parley_cli import nats_metrics
from parley_cli.nats_metrics import Reading

log = logs.get(__name__)

PAGES = {
    "varz": "/varz",
    "connz": "/connz",
    "jsz": "/jsz?streams=true&config=true",
    "healthz": "/healthz",
}
READ_SECONDS = 4.0
"""How long the server may take to answer. Prometheus waits for 5 s."""


class NatsExporter:
    """Serves one NATS server's figures. `url` is its monitoring address."""

    def __init__(self, http: httpx.AsyncClient, url: str) -> None:
        self._http = http
        self._url = url.rstrip("/")
        self._server = httpx.URL(url).netloc.decode().rpartition("@")[2]
        self._answered: bool | None = None

    def app(self) -> Starlette:
        """/metrics; and /healthz and /readyz: the exporter runs, whether or not NATS does."""

        async def healthz(_: Request) -> Response:
            return JSONResponse({"status": "ok"})

        async def metrics(_: Request) -> Response:
            text = generate_latest(_Collected(await self.collect()))
            return Response(text, media_type=CONTENT_TYPE_LATEST)

        routes = {"/healthz": healthz, "/readyz": healthz, "/metrics": metrics}
        return Starlette(routes=[Route(path, answer) for path, answer in routes.items()])

    async def collect(self) -> list[Metric]:
        """What there is to say of the server now."""
        try:
            async with asyncio.timeout(READ_SECONDS):
                reading = await self._read()
        except (httpx.HTTPError, ValueError, TimeoutError) as error:
            self._tell(answered=False, error=type(error).__name__)
            return list(nats_metrics.unreachable(self._server))
        self._tell(answered=True)
        self._server = str(reading.varz.get("server_name", self._server))
        return list(nats_metrics.metrics(reading, self._server))

    async def _read(self) -> Reading:
        answers = await asyncio.gather(
            *(self._http.get(self._url + path) for path in PAGES.values())
        )
        # /healthz says with a 503 that the server is not well: that is an answer too.
        return Reading(**dict(zip(PAGES, (answer.json() for answer in answers), strict=True)))

    def _tell(self, *, answered: bool, **fields: str) -> None:
        if answered is not self._answered:
            self._answered = answered
            log.info("nats answers" if answered else "nats does not answer", **fields)


class _Collected(Collector):
    """What was collected already, as a registry."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def run(url: str, host: str | None, port: int) -> int:
    """Serve the figures of the NATS server at `url` until SIGTERM. The exit code."""
    config = ServiceConfig()

    async def serve(stop: asyncio.Event) -> None:
        # Without the environment's proxies: NATS is near.
        async with httpx.AsyncClient(trust_env=False) as http:
            app = NatsExporter(http, url).app()
            async with health.serve(app, host or config.host, port) as listening:
                log.info("listening", port=listening)
                await stop.wait()

    return service.run("nats-exporter", config, serve)
