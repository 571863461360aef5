"""Tools against real servers on loopback: HTTP, and MCP over HTTP and stdio."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from aiohttp import web
from mcp import Client
from prometheus_client import REGISTRY

from contract.servers import mcp_tools
from parley.messages import JobRequest, ToolCall
from parley.subjects import Stage
from parley.tools import HttpTool, McpServer, Value, dump
from parley_agent.tools import http, mcp
from parley_agent.tools.base import RESULT_CHARACTERS, Tool, ToolFailed
from parley_agent.tools.http import HttpRequest
from parley_agent.tools.mcp import McpConnection
from parley_agent.tools.running import Result, run
from parley_agent.tools.toolbox import Toolboxes
from support.nats import free_port

KEY = "sesame-8f2c"


class Job:
    """What tools see of a job."""

    request = JobRequest(stage=Stage.AGENT, conversation_id="c", turn=1, attempt=1, spec={})

    async def send(self, kind: type, **fields: Any) -> None:
        pass


async def called(tool: Tool, **arguments: Any) -> Result:
    """The result of one call."""
    job: Any = Job()
    call = ToolCall(id="id-1", name=tool.name, arguments=json.dumps(arguments))
    (result,) = await run({tool.name: tool}, [call], (), job)
    return result


# --- HTTP


class Shop:
    """A web server. `/fail/<status>/<times>` answers so, so many times; `/do/<what>` misbehaves."""

    def __init__(self) -> None:
        self.requests: list[web.Request] = []
        self.left_at: list[float] = []
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Shop"]:
        app = web.Application()
        app.add_routes(
            [
                web.route("*", "/echo/{rest:.*}", self._echo),
                web.route("*", "/fail/{status}/{times}", self._fail),
                web.route("*", "/do/{what}", self._misbehave),
            ]
        )
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _echo(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        body = await request.json() if request.can_read_body else None
        seen = {"path": request.raw_path, "body": body, "key": request.headers.get("X-Key")}
        return web.json_response(seen, headers={"Set-Cookie": "caller=first"})

    async def _fail(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        if len(self.requests) > int(request.match_info["times"]):
            return web.Response(text="at last")
        text = f"no, {request.headers.get('X-Key', '')}"
        headers = {"Retry-After": "0.05"}
        return web.Response(status=int(request.match_info["status"]), text=text, headers=headers)

    async def _misbehave(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        match request.match_info["what"]:
            case "hang":
                try:
                    await asyncio.Event().wait()
                finally:
                    self.left_at.append(asyncio.get_running_loop().time())
            case "reset" if request.transport is not None:
                request.transport.abort()
            case "big":
                return web.Response(text="x" * 10 * RESULT_CHARACTERS)
            case "picture":
                return web.Response(body=b"\x89PNG", content_type="image/png")
            case "move":
                raise web.HTTPFound("/echo/elsewhere")
        return web.Response(status=204)


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with Shop().running() as running:
        yield running


@pytest.fixture
async def asking(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """Makes a tool that asks the shop."""
    monkeypatch.setenv("SHOP_KEY", KEY)
    client = http.client()

    def make(path: str, **fields: Any) -> HttpRequest:
        properties: dict[str, Any] = {name: {} for name in ("city", "day", "days")}
        tool: dict[str, Any] = {
            "type": "http",
            "name": "shop",
            "description": "",
            "url": shop.url + path,
            "parameters": {"type": "object", "properties": properties},
            "headers": {"X-Key": {"secret": "env:SHOP_KEY"}},
            **fields,
        }
        return HttpRequest(HttpTool.model_validate(tool), client)

    yield make
    await client.aclose()


async def test_arguments_go_into_the_address_the_query_or_the_body(asking: Any, shop: Shop) -> None:
    fields = {"city": "a/b?c=ü", "day": "today", "days": [1, 2]}
    result = await called(asking("/echo/{city}", method="GET"), **fields)
    seen = json.loads(result.content)
    assert seen["path"] == "/echo/a%2Fb%3Fc%3D%C3%BC?day=today&days=%5B1%2C+2%5D"
    result = await called(asking("/echo/{city}?day={day}"), **fields)
    seen = json.loads(result.content)
    assert seen["path"].endswith("?day=today")
    assert seen["body"] == {"days": [1, 2]}
    assert shop.requests[-1].headers["Idempotency-Key"] == "c-1-id-1"
    assert "Cookie" not in shop.requests[-1].headers


async def test_a_secret_is_sent_and_never_comes_back(asking: Any, shop: Shop) -> None:
    result = await called(asking("/echo/x"))
    assert shop.requests[0].headers["X-Key"] == KEY
    failed = await called(asking("/fail/403/9"))
    for one in (result, failed):
        assert KEY not in one.content
        assert "(secret)" in one.content


async def test_without_its_secret_a_tool_is_not_set_up(
    asking: Any, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SHOP_KEY")
    result = await called(asking("/echo/x"))
    assert (result.outcome, result.content) == ("failed", "It failed. It is not set up.")
    assert not shop.requests


async def test_nothing_climbs_out_of_the_address(asking: Any, shop: Shop) -> None:
    result = await called(asking("/echo/{city}/x"), city="..")
    assert result.outcome == "failed"
    assert not shop.requests


@pytest.mark.parametrize(
    ("status", "method", "fields", "requests", "ok"),
    [
        (500, "GET", {}, 2, True),
        (429, "GET", {}, 2, True),
        (503, "POST", {"idempotent": True}, 2, True),
        (503, "GET", {"retries": 0}, 1, False),
        (500, "POST", {}, 1, False),
        (429, "POST", {}, 1, False),
        (404, "GET", {}, 1, False),
    ],
)
async def test_a_call_is_made_again_only_where_that_does_no_harm(
    asking: Any,
    shop: Shop,
    status: int,
    method: str,
    fields: dict[str, Any],
    requests: int,
    ok: bool,
) -> None:
    result = await called(asking(f"/fail/{status}/1", method=method, **fields))
    assert (len(shop.requests), result.ok) == (requests, ok)
    assert result.content == "at last" if ok else f"answered {status}: no" in result.content


@pytest.mark.parametrize(("method", "requests"), [("GET", 2), ("POST", 1)])
async def test_a_reset_is_a_failure(asking: Any, shop: Shop, method: str, requests: int) -> None:
    result = await called(asking("/do/reset", method=method))
    assert (len(shop.requests), result.outcome) == (requests, "failed")
    assert "broke off" in result.content


async def test_a_server_that_hangs_is_left_in_time(asking: Any, shop: Shop) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    result = await called(asking("/do/hang", timeoutSeconds=0.3))
    assert result.outcome == "timeout"
    assert loop.time() - began < 1.0
    async with asyncio.timeout(2):
        while not shop.left_at:
            await asyncio.sleep(0.01)


async def test_an_interruption_closes_the_request(asking: Any, shop: Shop) -> None:
    task = asyncio.create_task(called(asking("/do/hang", timeoutSeconds=30)))
    while not shop.requests:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(2):
        while not shop.left_at:
            await asyncio.sleep(0.01)


async def test_nobody_there_is_tried_again_even_with_post(asking: Any, shop: Shop) -> None:
    tool = asking("/x").__class__  # the same client, another address
    client = http.client()
    nobody = HttpTool.model_validate(
        {"type": "http", "name": "n", "description": "", "url": f"http://127.0.0.1:{free_port()}/"}
    )
    result = await called(tool(nobody, client))
    await client.aclose()
    assert result.content == "It failed. Its server cannot be reached."


@pytest.mark.parametrize(
    ("what", "content"),
    [
        ("big", "x" * RESULT_CHARACTERS + "... (cut here: it is longer)"),
        ("picture", "(It is no text but image/png.)"),
        ("nothing", "(Done; there is nothing to tell.)"),
        ("move", "It failed. Its server answered 302: it has moved."),
    ],
)
async def test_what_a_model_gets_to_read(asking: Any, what: str, content: str) -> None:
    assert (await called(asking(f"/do/{what}"))).content == content


# --- MCP


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp, "PATIENCE_SECONDS", 20.0)


@asynccontextmanager
async def serving(port: int) -> AsyncIterator[None]:
    config = uvicorn.Config(mcp_tools.app(), port=port, log_level="error")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(5):
            while not server.started:
                await asyncio.sleep(0.01)
        yield
    finally:
        server.should_exit = server.force_exit = True
        await task


@pytest.fixture
async def over_http() -> AsyncIterator[McpServer]:
    port = free_port()
    async with serving(port):
        yield McpServer(type="mcp", name="w", url=f"http://127.0.0.1:{port}/mcp")


@pytest.fixture
def over_stdio(monkeypatch: pytest.MonkeyPatch) -> McpServer:
    monkeypatch.setenv("PARLEY_MCP_COMMANDS", f"uvx, {sys.executable}")
    monkeypatch.setenv("USER_OF_WAREHOUSE", "parley")
    program = str(Path(mcp_tools.__file__))
    env = {"WAREHOUSE_USER": Value(secret="env:USER_OF_WAREHOUSE")}
    return McpServer(type="mcp", name="w", command=sys.executable, args=[program], env=env)


@pytest.fixture(params=["over_http", "over_stdio"])
def warehouse(request: pytest.FixtureRequest) -> McpServer:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, McpServer)
    return found


@asynccontextmanager
async def tools_of(server: McpServer) -> AsyncIterator[dict[str, Tool]]:
    boxes = Toolboxes()
    try:
        yield await boxes.get(dump([server])).open()
    finally:
        await boxes.close()
        assert not [task for task in asyncio.all_tasks() if "_hold" in repr(task)]


async def test_an_mcp_servers_tools_are_the_models(warehouse: McpServer) -> None:
    server = warehouse.model_copy(update={"timeout_seconds": 0.5, "allow": None})
    async with tools_of(server) as tools:
        assert sorted(tools) == ["w_burn", "w_inventory", "w_order", "w_stock", "w_whoami"]
        results = await asyncio.gather(
            called(tools["w_stock"], article="tea"),
            called(tools["w_stock"], article="rum"),
            called(tools["w_order"], article="tea"),
            called(tools["w_inventory"]),
            called(tools["w_stock"], article=7),
        )
        assert [one.outcome for one in results] == ["ok", "ok", "failed", "timeout", "invalid"]
        assert results[0].content == "12 pieces of tea"
        assert "sold out" in results[2].content
        assert tools["w_stock"].may_repeat
        assert not tools["w_order"].may_repeat
        assert (await called(tools["w_stock"], article="tea")).ok


async def test_only_what_is_allowed_is_offered(over_http: McpServer) -> None:
    async with tools_of(over_http.model_copy(update={"allow": ["stock"]})) as tools:
        assert list(tools) == ["w_stock"]


async def test_a_server_that_has_many_tools_does_not_make_many_series(
    over_http: McpServer,
) -> None:
    async with tools_of(over_http.model_copy(update={"name": "many"})) as tools:
        assert (await called(tools["many_stock"], article="tea")).ok
    assert (counted("many"), counted("many_stock")) == (1, None)
    listed = over_http.model_copy(update={"name": "many", "allow": ["stock"]})
    async with tools_of(listed) as tools:
        assert (await called(tools["many_stock"], article="tea")).ok
    assert (counted("many"), counted("many_stock")) == (1, 1)


def counted(tool: str) -> float | None:
    """How many calls of it went well; None where it has no series."""
    labels = {"tool": tool, "outcome": "ok"}
    return REGISTRY.get_sample_value("parley_tool_calls_total", labels)


async def test_a_program_gets_its_secrets_and_is_started_again(over_stdio: McpServer) -> None:
    async with tools_of(over_stdio) as tools:
        assert (await called(tools["w_whoami"])).content == "parley"
        burnt = await called(tools["w_burn"])
        assert (burnt.outcome, burnt.content) == (
            "failed",
            "It failed. Its server cannot be reached, or broke off.",
        )
        assert (await called(tools["w_stock"], article="tea")).ok


async def test_a_worker_runs_no_command_that_it_was_not_told_of(
    over_stdio: McpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_MCP_COMMANDS", "uvx")
    async with tools_of(over_stdio) as tools:
        assert tools == {}


async def test_a_server_that_comes_back_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp, "AWAY_SECONDS", 0.1)
    port = free_port()
    server = McpServer(type="mcp", name="w", url=f"http://127.0.0.1:{port}/mcp")
    connection = McpConnection(server)
    try:
        with pytest.raises(mcp.Unreachable):
            await connection.tools()
        await asyncio.sleep(0.15)
        async with serving(port):
            (stock,) = [one for one in await connection.tools() if one.name == "w_stock"]
            assert await stock.call({"article": "tea"}, "") == "12 pieces of tea"
        with pytest.raises(ToolFailed, match="cannot be reached"):
            await stock.call({"article": "tea"}, "")
        await asyncio.sleep(0.15)
        async with serving(port):
            assert await stock.call({"article": "tea"}, "") == "12 pieces of tea"
    finally:
        await connection.close()


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_server_that_was_restarted_is_used_at_once(
    monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setattr("mcp.Client", partial(Client, mode=mode))
    port = free_port()
    connection = McpConnection(McpServer(type="mcp", name="w", url=f"http://127.0.0.1:{port}/mcp"))
    try:
        async with serving(port):
            (whoami,) = [one for one in await connection.tools() if one.name == "w_whoami"]
        async with serving(port):
            assert not whoami.may_repeat
            assert await whoami.call({}, "") == "nobody"
    finally:
        await connection.close()


async def test_nobody_waits_for_a_server_that_does_not_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mcp, "PATIENCE_SECONDS", 0.2)
    silent = await asyncio.start_server(lambda _reader, _writer: asyncio.sleep(30), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}/mcp"
    loop = asyncio.get_running_loop()
    async with silent:
        took = []
        async with tools_of(McpServer(type="mcp", name="w", url=url)) as tools:
            assert tools == {}
        connection = McpConnection(McpServer(type="mcp", name="w", url=url))
        for _ in range(2):
            began = loop.time()
            with pytest.raises(mcp.Unreachable):
                await connection.tools()
            took.append(loop.time() - began)
        await connection.close()
    assert took[0] < 1.0
    assert took[1] < 0.05
