"""A real MCP server with a few tools: `python mcp_tools.py` over stdio, or `app()` over HTTP."""

import asyncio
import os

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from starlette.applications import Starlette


def server() -> MCPServer:
    """Its tools: one that answers, one that fails, one that hangs, and some more."""
    made = MCPServer("warehouse")

    @made.tool(annotations=ToolAnnotations(read_only_hint=True))
    def stock(article: str) -> str:
        """How many pieces of an article there are."""
        return f"12 pieces of {article}"

    @made.tool()
    def order(article: str) -> str:
        """Orders a piece. There are none."""
        raise ToolError(f"{article} is sold out")

    @made.tool()
    async def inventory() -> str:
        """Counts everything, which never ends."""
        await asyncio.Event().wait()
        return "all counted"

    @made.tool()
    def whoami() -> str:
        """Who the server takes the caller for."""
        return os.environ.get("WAREHOUSE_USER", "nobody")

    @made.tool()
    def burn() -> str:
        """The warehouse burns down, and the server with it."""
        os._exit(1)

    return made


def app() -> Starlette:
    """The server over streamable HTTP, at /mcp."""
    return server().streamable_http_app()


if __name__ == "__main__":
    server().run()
