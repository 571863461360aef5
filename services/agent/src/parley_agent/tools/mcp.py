"""Tools of an MCP server: one session a worker process, shared by all calls."""

import asyncio
import json
import logging
import os
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import httpx2
import mcp
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CONNECTION_CLOSED, INVALID_REQUEST, TextContent
from mcp.types import CallToolResult as Called
from mcp.types import Tool as ServersTool

from parley import logs
from parley.messages import ToolDescription
from parley.tools import McpServer
from parley_agent.tools.base import Secrets, Tool, ToolFailed, shortened

log = logs.get(__name__)
logging.getLogger("mcp").setLevel(logging.CRITICAL)  # It quotes what it does not understand.

PATIENCE_SECONDS = 1.5
"""How long a reply waits for a server that is not there yet; then it does without."""
START_SECONDS = 30.0
"""How long a server may take to tell its tools: a program may have to be fetched first."""
ANSWER_SECONDS = 5.0
"""How long it may take to tell them again."""
AWAY_SECONDS = 15.0
"""After a failure, it is not tried again for so long."""
REFRESH_SECONDS = 30.0
"""How often the list of tools is asked for again: that also shows whether the server lives."""
IDLE_SECONDS = 600.0
"""A session that nobody has used for so long is closed."""
COMMANDS = "PARLEY_MCP_COMMANDS"
"""The commands that a worker may run, separated by commas. Without it, none."""


class Unreachable(Exception):
    """The server is away. The text is for people."""


@dataclass
class _Session:
    client: mcp.Client
    tools: list[ServersTool]


class McpConnection:
    """One server. Its session lives in a task of its own, and is opened anew when it is lost."""

    def __init__(self, server: McpServer) -> None:
        self.server = server
        self._clock = asyncio.get_running_loop().time
        self._session: _Session | None = None
        self._owners: set[asyncio.Task[None]] = set()
        self._settled = asyncio.Event()
        self._over = asyncio.Event()
        self._over.set()
        self._used_at = self._clock()
        self._away_until = 0.0

    async def tools(self) -> list[Tool]:
        """The server's tools. Raises Unreachable."""
        session, allow = await self._open(), self.server.allow
        return [
            McpTool(self, tool) for tool in session.tools if allow is None or tool.name in allow
        ]

    async def call(self, name: str, arguments: dict[str, Any], *, may_repeat: bool) -> Called:
        """What a tool gives. Raises Unreachable, MCPError or what else the client raises."""
        may_try_again = True
        while True:
            session = await self._open()
            try:
                return await session.client.call_tool(name, arguments)
            except mcp.MCPError as error:
                if error.code not in (CONNECTION_CLOSED, INVALID_REQUEST):
                    raise
                self._lose(session)
                # A server that does not know the session any more has not done anything.
                harmless = may_repeat or error.code == INVALID_REQUEST
                if not (harmless and may_try_again):
                    raise Unreachable("the connection was lost") from None
                may_try_again = False

    async def close(self) -> None:
        """End the session."""
        politely = ANSWER_SECONDS if self._session is not None else 0
        self._over.set()
        if owners := set(self._owners):
            _, late = await asyncio.wait(owners, timeout=politely)
            for owner in late:
                owner.cancel()
            await asyncio.wait(owners)

    async def _open(self) -> _Session:
        self._used_at = now = self._clock()
        if self._session is not None:
            return self._session
        if now < self._away_until:
            raise Unreachable("it was not there a moment ago")
        if self._over.is_set():
            self._settled, self._over = asyncio.Event(), asyncio.Event()
            owner = asyncio.create_task(self._hold(self._settled, self._over))
            self._owners.add(owner)
            owner.add_done_callback(self._owners.discard)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._settled.wait()
        except TimeoutError:
            # It may yet come; until then nobody else waits.
            self._away_until = self._clock() + START_SECONDS
        if self._session is None:
            raise Unreachable("it cannot be reached")
        return self._session

    def _lose(self, session: _Session) -> None:
        if self._session is session:
            self._session = None
            self._over.set()

    async def _hold(self, settled: asyncio.Event, over: asyncio.Event) -> None:
        """Open the session, and hold it until it is over, lost or idle."""
        try:
            async with AsyncExitStack() as stack:
                async with asyncio.timeout(START_SECONDS):
                    client = await self._connect(stack)
                    session = _Session(client, await _listed(client))
                self._session = session
                self._away_until = 0.0
                settled.set()
                try:
                    await self._refresh(session, over)
                finally:
                    self._lose(session)
        except Exception as error:
            self._away_until = self._clock() + (0.0 if settled.is_set() else AWAY_SECONDS)
            reason = type(error).__name__
            log.warning("MCP server lost", server=self.server.name, reason=reason)
        finally:
            over.set()
            settled.set()

    async def _refresh(self, session: _Session, over: asyncio.Event) -> None:
        while not over.is_set() and self._clock() < self._used_at + IDLE_SECONDS:
            with suppress(TimeoutError):
                async with asyncio.timeout(REFRESH_SECONDS):
                    await over.wait()
                return
            async with asyncio.timeout(ANSWER_SECONDS):
                session.tools = await _listed(session.client)

    async def _connect(self, stack: AsyncExitStack) -> mcp.Client:
        server = self.server
        longest = max(server.timeout_seconds, ANSWER_SECONDS) + PATIENCE_SECONDS
        if server.url is not None:
            headers = Secrets(server.headers, server.name).values
            timeout = httpx2.Timeout(ANSWER_SECONDS, read=longest)
            http = httpx2.AsyncClient(headers=headers, timeout=timeout)
            http = await stack.enter_async_context(http)
            transport = streamable_http_client(server.url, http_client=http)
        else:
            transport = stdio_client(_program(server), errlog=stack.enter_context(_nowhere()))
        client = mcp.Client(transport, read_timeout_seconds=longest, cache=None)
        return await stack.enter_async_context(client)


class McpTool(Tool):
    """One tool of a server."""

    def __init__(self, connection: McpConnection, tool: ServersTool) -> None:
        server = connection.server
        super().__init__(
            ToolDescription(
                name=f"{server.name}_{tool.name}",
                description=tool.description or "",
                parameters=tool.input_schema,
            )
        )
        self.timeout_seconds = server.timeout_seconds
        self.filler = server.filler
        self.filler_after_ms = server.filler_after_ms
        hints = tool.annotations
        self.may_repeat = hints is not None and bool(hints.read_only_hint or hints.idempotent_hint)
        self._connection = connection
        self._tool = tool.name

    @property
    def counted_as(self) -> str:
        """The server's name, unless `allow` has the tool's: it may have any number of tools."""
        server = self._connection.server
        return self.name if server.allow is not None else server.name

    async def call(self, arguments: dict[str, Any], key: str) -> str:
        """Have the server call it; once more, where that does no harm. Raises ToolFailed."""
        try:
            result = await self._connection.call(self._tool, arguments, may_repeat=self.may_repeat)
        except Unreachable:
            raise ToolFailed("Its server cannot be reached, or broke off.") from None
        except mcp.MCPError as error:
            raise ToolFailed(shortened(error.message)) from None
        text = shortened(_text(result))
        if result.is_error:
            raise ToolFailed(text)
        return text


async def _listed(client: mcp.Client) -> list[ServersTool]:
    page = await client.list_tools()
    tools = list(page.tools)
    while page.next_cursor:
        page = await client.list_tools(cursor=page.next_cursor)
        tools += page.tools
    return tools


def _text(result: Called) -> str:
    parts = [
        one.text if isinstance(one, TextContent) else f"({one.type})" for one in result.content
    ]
    if not parts and result.structured_content is not None:
        parts = [json.dumps(result.structured_content)]
    return "\n".join(parts) or "(Done; there is nothing to tell.)"


def _program(server: McpServer) -> StdioServerParameters:
    command = server.command or ""
    if command not in [one.strip() for one in os.environ.get(COMMANDS, "").split(",")]:
        log.warning("MCP server not run", server=server.name, reason=f"not in {COMMANDS}")
        raise Unreachable(f"{COMMANDS} does not list it")
    env = Secrets(server.env, server.name).values
    return StdioServerParameters(command=command, args=server.args, env=env)


def _nowhere() -> TextIO:
    """Where the program's own log goes: it may tell what callers say."""
    return Path(os.devnull).open("w", encoding="utf-8")
