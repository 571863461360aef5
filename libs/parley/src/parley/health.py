"""/healthz, /readyz and /metrics, the same on every service."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from socket import SO_SNDBUF, SOL_SOCKET
from typing import Any

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from parley import logs, metrics

log = logs.get(__name__)

Readiness = Callable[[], tuple[bool, dict[str, Any]]]
"""Says whether the service can take work, and what of it a person should know."""


def routes(readiness: Readiness) -> list[Route]:
    """The three routes. /healthz only says that the event loop turns: it must not fail when
    NATS is away, or every pod would be restarted at once."""

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        ready, detail = readiness()
        return JSONResponse({"ready": ready, **detail}, status_code=200 if ready else 503)

    async def read_metrics(_: Request) -> Response:
        metrics.TASKS.set(len(asyncio.all_tasks()))
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", read_metrics)]


class Server(uvicorn.Server):
    """uvicorn that leaves the process's signals to the service."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        """Capture none."""
        yield


@contextlib.asynccontextmanager
async def serve(app: Any, host: str, port: int, **options: Any) -> AsyncIterator[int]:
    """Serve an ASGI app in this event loop; gives the port (a free one for 0).

    `options` are uvicorn's, and `send_buffer`: the bytes that the kernel may hold for a client
    that does not read. Raises OSError where the port is taken or a certificate is not to be used.
    """
    send_buffer = options.pop("send_buffer", None)
    config = uvicorn.Config(
        app, host=host, port=port, log_config=None, access_log=False, lifespan="off", **options
    )
    if config.is_ssl:
        _load(config)
    socket = config.bind_socket() if port == 0 else _bind(config)
    if send_buffer is not None:
        socket.setsockopt(SOL_SOCKET, SO_SNDBUF, send_buffer)
    server = Server(config)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.serve(sockets=[socket]))
        try:
            while not (server.started or serving.done()):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            yield int(socket.getsockname()[1])
        finally:
            server.should_exit = True


def _load(config: uvicorn.Config) -> None:
    try:
        config.load()
    except OSError as error:
        files = " and ".join(str(one) for one in (config.ssl_certfile, config.ssl_keyfile) if one)
        raise OSError(f"cannot use {files} for TLS: {error.strerror or error}") from None


def _bind(config: uvicorn.Config) -> Any:
    try:
        return config.bind_socket()
    except SystemExit:
        raise OSError(
            f"port {config.port} on {config.host} is taken; choose another with PARLEY_PORT"
        ) from None


def app(readiness: Readiness) -> Starlette:
    """The routes as an app of their own, for workers."""
    return Starlette(routes=[*routes(readiness)])
