"""The gateway's HTTP side: calls at /conversation, the page at /, and what operators read."""

import asyncio
from pathlib import Path
from typing import Any

from fastapi import FastAPI, WebSocket
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from parley import health, logs
from parley_gateway import conversations, metrics
from parley_gateway.admission import Admission
from parley_gateway.call import Shared
from parley_gateway.history import History
from parley_gateway.protocol import ProtocolError
from parley_gateway.session import Session
from parley_gateway.websocket import Connection, refuse
from parley_gateway.workers import Workers

log = logs.get(__name__)

STATIC = Path(__file__).parent / "static"
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
            with self.admission.line(query):
                call, audio = await self.admission.call(query)
                session = Session(Connection(websocket, audio), call, self.shared)
                reason = await session.run()
                metrics.CONVERSATIONS_ENDED.labels(reason).inc()
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


def build(gateway: Gateway) -> FastAPI:
    """The app."""
    app = FastAPI(title="Parley", openapi_url=None)
    app.router.routes.extend(health.routes(gateway.readiness))
    app.router.routes.append(
        conversations.route(
            gateway.history,
            gateway.admission.authorized,
            recording=gateway.shared.recorder.enabled,
        )
    )
    app.add_api_websocket_route("/conversation", gateway.call)
    app.mount("/static", StaticFiles(directory=STATIC))

    @app.get("/")
    async def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    @app.get("/status")
    async def status() -> dict[str, Any]:
        ready, _ = gateway.readiness()
        return {
            "ready": ready,
            "conversations": gateway.admission.active,
            "stages": gateway.workers.stages(),
            "workers": gateway.workers.status(),
        }

    return app
