"""A web server for tools: `/weather/<city>?wait=<seconds>`, and `/book/<city>` that hangs."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any, Self

from aiohttp import web


class ToolServer:
    """Use it as `async with ToolServer(port)`. Counts what comes in, and who leaves early."""

    def __init__(self, port: int) -> None:
        self.requests: Counter[str] = Counter()
        self._left: Counter[str] = Counter()
        self._port = port
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.add_routes([web.route("*", "/{what}/{city}", self._answer)])
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        city = request.match_info["city"]
        self.requests[city] += 1
        try:
            await asyncio.sleep(float(request.query.get("wait", 0)))
        except asyncio.CancelledError:
            self._left[city] += 1
            raise
        return web.Response(text=f"sunny in {city}")

    async def asked(self, city: str, times: int = 1, seconds: float = 20.0) -> None:
        """Wait for a city's requests. Raises TimeoutError."""
        await _until(lambda: self.requests[city] >= times, seconds)

    async def left(self, city: str, seconds: float = 3.0) -> None:
        """Wait until a city's request is left by who made it. Raises TimeoutError."""
        await _until(lambda: self._left[city] > 0, seconds)


async def _until(condition: Callable[[], bool], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def weather(port: int, **fields: Any) -> dict[str, Any]:
    """The tool, as it stands in agents.yaml."""
    properties = {"city": {"type": "string"}, "wait": {"type": "number"}}
    return {
        "type": "http",
        "name": "weather",
        "description": "The weather in a city.",
        "method": "GET",
        "url": f"http://127.0.0.1:{port}/weather/{{city}}?wait={{wait}}",
        "parameters": {"type": "object", "properties": properties, "required": ["city", "wait"]},
        "timeoutSeconds": 10,
        **fields,
    }
