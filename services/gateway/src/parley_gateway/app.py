"""The gateway's HTTP side: calls at /conversation, the page at /, and what operators read."""

import asyncio
import hmac
from pathlib import Path
from typing import Any

from fastapi import FastAPI, WebSocket
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from parley import health, logs
from parley.profiles import Profile, Profiles
from parley_gateway import metrics, protocol
from parley_gateway.conversation import Engine
from parley_gateway.protocol import AudioFormat, ProtocolError
from parley_gateway.websocket import Session, refuse
from parley_gateway.workers import Workers

log = logs.get(__name__)

STATIC = Path(__file__).parent / "static"


class Gateway:
    """What the routes share: admission, and the calls under way."""

    def __init__(
        self,
        engine: Engine,
        workers: Workers,
        profiles: Profiles,
        *,
        max_conversations: int,
        token: str | None = None,
    ) -> None:
        self.engine = engine
        self.workers = workers
        self.profiles = profiles
        self.active = 0
        self.accepting = True
        self.draining = asyncio.Event()
        self.idle = asyncio.Event()
        self.idle.set()
        self._max = max_conversations
        self._token = token

    def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Ready once every stage has a worker."""
        missing = [str(stage) for stage in self.workers.missing()]
        connected = self.engine.bus.connected
        state = "draining" if not self.accepting else "waiting" if missing else "ready"
        ready = connected and state == "ready"
        detail = {"state": state, "nats": connected, "waiting_for": missing}
        return ready, {**detail, "running": self.active, "capacity": self._max}

    def admit(self, query: dict[str, str]) -> tuple[str, Profile, AudioFormat]:
        """Who answers this call and in what format. Raises ProtocolError."""
        if self._token is not None and not hmac.compare_digest(
            query.get("token", "").encode(), self._token.encode()
        ):
            raise protocol.unauthorized()
        audio = protocol.parse_format(
            query.get("sample_rate", "16000"), query.get("encoding", "linear16")
        )
        agent = query.get("agent", "default")
        profile = self.profiles.get(agent)
        if profile is None:
            raise protocol.unknown_agent(agent, sorted(self.profiles.agents))
        if not self.accepting:
            raise protocol.draining()
        if self.active >= self._max:
            raise protocol.no_capacity(f"all {self._max} lines of this server are taken")
        if missing := self.workers.missing():
            raise protocol.no_capacity(f"no worker is there for: {', '.join(missing)}")
        return agent, profile, audio

    async def call(self, websocket: WebSocket) -> None:
        """One call, from its handshake to its end."""
        await websocket.accept()
        try:
            agent, profile, audio = self.admit(dict(websocket.query_params))
        except ProtocolError as error:
            await refuse(websocket, error)
            return
        self._count(+1)
        try:
            session = Session(websocket, agent, profile, audio)
            reason = await session.run(self.engine, self.draining)
            metrics.CONVERSATIONS_ENDED.labels(reason).inc()
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        self.active += change
        metrics.CONVERSATIONS.set(self.active)
        if self.active:
            self.idle.clear()
        else:
            self.idle.set()


def build(gateway: Gateway) -> FastAPI:
    """The app."""
    app = FastAPI(title="Parley", openapi_url=None)
    app.router.routes.extend(health.routes(gateway.readiness))
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
            "conversations": gateway.active,
            "stages": gateway.workers.stages(),
            "workers": gateway.workers.status(),
        }

    return app
