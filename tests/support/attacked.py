"""Two gateway processes that ask for keys, on one NATS, with workers that take any job."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import yaml
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from parley import api_keys
from parley.bus import Bus
from parley.config import ServiceConfig
from parley.subjects import Stage
from parley_gateway.access.tokens import Signer
from support.nats import NatsServer, free_port
from support.service_process import ServiceProcess
from support.working import Handler, forever, working

SIGNING_SECRET = "the-signing-secret-of-the-tests-is-long-enough"
PAGE = "https://shop.example"
LINES = 8
LIMITS: dict[str, dict[str, Any]] = {
    "shop": {"agents": ["default"]},
    "rival": {},
    "page": {"origins": [PAGE]},
    "two-calls": {"calls": 2},
    "three-a-minute": {"calls_a_minute": 3},
    "seconds": {"minutes_a_day": 0.1},
}
"""What keys.yaml says of each key."""
KEYS = {name: api_keys.new() for name in LIMITS}


@dataclass
class Outcome:
    """What an attempt to call came to: `first` is the server's first message."""

    first: dict[str, Any] = field(default_factory=dict)
    close: int | None = None
    status: int | None = None

    @property
    def got_through(self) -> bool:
        return self.first.get("type") == "ready"

    @property
    def code(self) -> str:
        """What became of it, in a word."""
        if self.status is not None:
            return f"HTTP {self.status}"
        return str(self.first.get("code", self.first.get("type", f"closed {self.close}")))


class Attacked:
    """The gateways. `nats` is theirs, `keys_file` may be changed."""

    def __init__(self, nats: NatsServer, gateways: list[ServiceProcess], keys_file: Path) -> None:
        self.nats = nats
        self.gateways = gateways
        self.keys_file = keys_file

    async def call(
        self,
        secret: str | None = None,
        *,
        gateway: int = 0,
        origin: str | None = None,
        header: str | None = None,
        **query: object,
    ) -> Outcome:
        """Try to call, and hang up if that works. `secret` goes into the query."""
        outcome = Outcome()
        async with contextlib.AsyncExitStack() as stack:
            outcome = await self.begin(
                stack, secret, gateway=gateway, origin=origin, header=header, **query
            )
        return outcome

    async def begin(
        self,
        stack: contextlib.AsyncExitStack,
        secret: str | None = None,
        *,
        gateway: int = 0,
        origin: str | None = None,
        header: str | None = None,
        **query: object,
    ) -> Outcome:
        """The same, but the call goes on until the stack is left."""
        if secret is not None:
            query = {"token": secret, **query}
        url = f"ws://127.0.0.1:{self.gateways[gateway].port}/conversation?{urlencode(query)}"
        headers = {} if header is None else {"Authorization": header}
        if origin is not None:
            headers["Origin"] = origin
        try:
            socket = await stack.enter_async_context(
                connect(url, additional_headers=headers, compression=None, proxy=None)
            )
        except InvalidStatus as refused:
            return Outcome(status=refused.response.status_code)
        try:
            async with asyncio.timeout(20):
                return Outcome(json.loads(await socket.recv()))
        except ConnectionClosed as closed:
            return Outcome(close=closed.rcvd.code if closed.rcvd else None)

    async def ask(
        self, path: str, secret: str | None = None, *, method: str = "GET", **options: Any
    ) -> httpx.Response:
        """An HTTP request to the first gateway."""
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        headers |= options.pop("headers", {})
        url = f"http://127.0.0.1:{self.gateways[0].port}{path}"
        async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
            return await client.request(method, url, headers=headers, **options)

    async def token(self, key: str = "shop", **body: object) -> str:
        """A signed token, as a key's server gets it."""
        answer = await self.ask("/tokens", KEYS[key], method="POST", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])


async def close_of(call: ClientConnection) -> tuple[int | None, str]:
    """The code and reason with which the server closes."""
    try:
        async with asyncio.timeout(30):
            while True:
                await call.recv()
    except ConnectionClosed as closed:
        return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (None, "")


def signer(secret: str = SIGNING_SECRET) -> Signer:
    """Signs as the gateways do, or as somebody does who does not know the secret."""
    return Signer([secret])


@contextlib.contextmanager
def attacked(folder: Path, *, managed: bool = False) -> Iterator[Attacked]:
    """All of it, running. `managed`: with a port for operators."""
    keys_file = folder / "keys.yaml"
    listed = {
        name: {"sha256": api_keys.digest(KEYS[name]), **limits} for name, limits in LIMITS.items()
    }
    keys_file.write_text(yaml.safe_dump(listed))
    (folder / "agents.yaml").write_text(yaml.safe_dump({"agents": {"default": {}, "private": {}}}))
    nats = NatsServer()
    nats.start()
    gateways = [
        ServiceProcess(
            "gateway",
            folder / f"gateway-{number}.log",
            {
                "PARLEY_NATS_URL": nats.url,
                "PARLEY_PORT": str(free_port()),
                "PARLEY_AGENTS": str(folder / "agents.yaml"),
                "PARLEY_KEYS": str(keys_file),
                "PARLEY_SIGNING_SECRET": SIGNING_SECRET,
                "PARLEY_RECORD_HOURS": "1",
                "PARLEY_MAX_CONVERSATIONS": str(LINES),
                "PARLEY_DRAIN_SECONDS": "1",
                **({"PARLEY_MANAGEMENT_PORT": str(free_port())} if managed else {}),
            },
        )
        for number in range(2)
    ]
    try:
        with _workers(nats.url):
            for gateway in gateways:
                _wait_ready(gateway)
            yield Attacked(nats, gateways, keys_file)
            for gateway in gateways:
                gateway.stop()
    finally:
        for gateway in gateways:
            if gateway.alive:
                gateway.kill()
        nats.stop()


@contextlib.contextmanager
def _workers(nats_url: str) -> Iterator[None]:
    """One worker of each stage, in a thread with an event loop of its own."""
    stop: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    begun = threading.Event()

    async def work() -> None:
        over = asyncio.Event()
        stop.append((asyncio.get_running_loop(), over))
        async with contextlib.AsyncExitStack() as stack:
            bus = await stack.enter_async_context(Bus(ServiceConfig(nats_url=nats_url), "test"))
            for stage in Stage:
                await stack.enter_async_context(working(bus, Handler(forever), stage, capacity=200))
            begun.set()
            await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(work(),))
    thread.start()
    try:
        if not begun.wait(20):
            raise TimeoutError("the workers have not begun")
        yield
    finally:
        loop, over = stop[0]
        loop.call_soon_threadsafe(over.set)
        thread.join()


def _wait_ready(gateway: ServiceProcess) -> None:
    pause = threading.Event()
    for _ in range(600):
        if gateway.ready:
            return
        if not gateway.alive:
            raise RuntimeError(gateway.log.read_text())
        pause.wait(0.1)
    raise TimeoutError(gateway.log.read_text())
