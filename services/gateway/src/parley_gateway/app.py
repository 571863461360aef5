"""The gateway's HTTP side: calls at /conversation, the page at /, and what operators read."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI, WebSocket
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from fastapi.telemetry import TelemetryConfig
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from parley import health, logs
from parley_gateway import conversations, metrics
from parley_gateway.access import token_route
from parley_gateway.access.connections import let_in
from parley_gateway.access.door import Visitor
from parley_gateway.admission import Admission
from parley_gateway.call import Shared
from parley_gateway.history import History
from parley_gateway.protocol import ProtocolError
from parley_gateway.session import Session
from parley_gateway.websocket import Connection, refuse
from parley_gateway.workers import Workers

log = logs.get(__name__)

STATIC = Path(__file__).parent / "static"
PROBES = ("/healthz", "/readyz")
"""What whoever starts and stops gateways asks for, on the callers' port too."""
NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
"""FastAPI's own spans would hold each call's URL, and with it the caller's token."""
HANG_UP_SECONDS = 5.0
"""How long calls that are ended may take to be over."""


class Gateway:
    """What the routes share."""

    def __init__(
        self, shared: Shared, admission: Admission, workers: Workers, history: History
    ) -> None:
        self.shared = shared
        self.admission = admission
        self.workers = workers
        self.history = history

    def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Ready once every stage has a worker. Without JetStream it can still take calls."""
        missing = [str(stage) for stage in self.workers.missing()]
        connected = self.shared.engine.bus.connected
        accepting = self.admission.accepting
        state = "draining" if not accepting else "waiting" if missing else "ready"
        ready = connected and state == "ready"
        detail = {"state": state, "nats": connected, "waiting_for": missing}
        lines = {"running": self.admission.active, "capacity": self.admission.max}
        return ready, {**detail, **lines, "resumable": self.shared.store.available}

    async def call(self, websocket: WebSocket) -> None:
        """One call, from its handshake to its end."""
        await websocket.accept()
        query = dict(websocket.query_params)
        try:
            with self.admission.line(Visitor.of(websocket), query) as entry:
                let_in(websocket)
                call, audio = await self.admission.call(query, entry)
                session = Session(Connection(websocket, audio), call, self.shared)
                metrics.CONVERSATIONS_STARTED.inc()
                reason = await session.run()
                metrics.CONVERSATIONS_ENDED.labels(reason).inc()
                if session.unserved and reason == "no_capacity":
                    await self.admission.access.give_back(entry.grant)
        except ProtocolError as error:
            await refuse(websocket, error)

    async def drain(self, seconds: float) -> None:
        """Take no new call; have those under way move, or end, for so long; then end them."""
        self.admission.accepting = False
        log.info("draining", conversations=self.admission.active)
        self.shared.moving.set()
        try:
            async with asyncio.timeout(seconds):
                await self.admission.idle.wait()
        except TimeoutError:
            self.shared.stopping.set()
            try:
                async with asyncio.timeout(HANG_UP_SECONDS):
                    await self.admission.idle.wait()
            except TimeoutError:
                log.warning("calls left", conversations=self.admission.active)


def build(gateway: Gateway, *, managed_elsewhere: bool = False) -> FastAPI:
    """The app. `managed_elsewhere`: what is for operators alone is not in it."""
    app = FastAPI(title="Parley", openapi_url=None, telemetry=NO_TELEMETRY)
    door = gateway.admission.access.door
    recording = gateway.shared.recorder.enabled
    app.router.routes += [
        *_management(gateway, PROBES if managed_elsewhere else None),
        conversations.route(gateway.history, door, recording=recording),
        token_route.route(door, gateway.admission.agents),
    ]
    app.add_api_websocket_route("/conversation", gateway.call)
    app.mount("/static", StaticFiles(directory=STATIC))

    @app.get("/")
    async def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    return app


def build_management(gateway: Gateway) -> Starlette:
    """What operators read, on a port of its own."""
    return Starlette(routes=_management(gateway))


def _management(gateway: Gateway, paths: Sequence[str] | None = None) -> list[Route]:
    async def status(_: Request) -> Response:
        ready, _detail = gateway.readiness()
        return JSONResponse(
            {
                "ready": ready,
                "conversations": gateway.admission.active,
                "stages": gateway.workers.stages(),
                "workers": gateway.workers.status(),
            }
        )

    routes = [*health.routes(gateway.readiness), Route("/status", status)]
    return [route for route in routes if paths is None or route.path in paths]
