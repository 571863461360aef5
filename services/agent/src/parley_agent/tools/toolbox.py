"""A profile's tools, made ready in this worker."""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import httpx

from parley import logs
from parley import tools as profile
from parley.messages import Retry
from parley.metrics import start_at_zero
from parley.providers import ProviderError
from parley_agent import metrics
from parley_agent.tools.base import Tool
from parley_agent.tools.builtin import Promise
from parley_agent.tools.http import HttpRequest, client

if TYPE_CHECKING:
    from parley_agent.tools.mcp import McpConnection

log = logs.get(__name__)

KEPT = 64
"""So many profiles' tools are kept ready."""


class Toolbox:
    """What one profile's agent can call."""

    def __init__(self, tools: Sequence[Tool], servers: Sequence["McpConnection"]) -> None:
        self._tools = tools
        self._servers = servers

    async def open(self) -> dict[str, Tool]:
        """The tools by name. An MCP server that is away is left out."""
        found = {tool.name: tool for tool in self._tools}
        for server in self._servers:
            for tool in await _tools_of(server):
                if tool.name in found:
                    log.warning("two tools have the same name", tool=tool.name)
                found.setdefault(tool.name, tool)
        counted = {tool.counted_as for tool in found.values()}
        start_at_zero(metrics.TOOL_CALLS, counted, metrics.TOOL_OUTCOMES)
        start_at_zero(metrics.TOOL_SECONDS, counted)
        return found


async def _tools_of(server: "McpConnection") -> list[Tool]:
    from parley_agent.tools.mcp import Unreachable

    try:
        return await server.tools()
    except Unreachable as error:
        log.warning("tools left out", server=server.server.name, reason=str(error))
        return []


class Toolboxes:
    """The toolboxes of a worker process. Those with the same tools share what they need."""

    def __init__(self) -> None:
        self._http: httpx.AsyncClient | None = None
        self._servers: dict[str, McpConnection] = {}
        self._kept: dict[str, Toolbox] = {}

    def get(self, tools: list[dict[str, Any]]) -> Toolbox:
        """The tools of a profile. Raises ProviderError."""
        key = json.dumps(tools, sort_keys=True)
        if key not in self._kept:
            try:
                parsed = profile.parse(tools)
            except ValueError as error:
                raise ProviderError(f"the tools are not understood: {error}", Retry.NEVER) from None
            if len(self._kept) >= KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = Toolbox(list(self._made(parsed)), list(self._connected(parsed)))
        return self._kept[key]

    async def close(self) -> None:
        """Let go of all connections."""
        for server in self._servers.values():
            await server.close()
        if self._http is not None:
            await self._http.aclose()

    def _made(self, tools: list[profile.Tool]) -> Iterator[Tool]:
        for tool in tools:
            if isinstance(tool, profile.HttpTool):
                self._http = self._http or client()
                yield HttpRequest(tool, self._http)
            elif isinstance(tool, profile.BuiltIn):
                yield Promise(tool)

    def _connected(self, tools: list[profile.Tool]) -> Iterator["McpConnection"]:
        for tool in tools:
            if isinstance(tool, profile.McpServer):
                key = tool.model_dump_json()
                if key not in self._servers:
                    self._servers[key] = _connection(tool)
                yield self._servers[key]


def _connection(server: profile.McpServer) -> "McpConnection":
    try:
        from parley_agent.tools.mcp import McpConnection
    except ImportError as error:
        reason = f"MCP servers need a package that is not installed: {error.name}"
        raise ProviderError(reason, Retry.NEVER) from None
    return McpConnection(server)
