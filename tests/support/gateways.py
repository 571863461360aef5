"""Gateways in the test's own process: all real but the conversation, which a test scripts."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from parley import health
from parley.bus import Bus
from parley.profiles import Profile, Profiles
from parley_gateway.access.access import Access
from parley_gateway.access.door import Door
from parley_gateway.access.keyring import Keyring
from parley_gateway.admission import Admission
from parley_gateway.app import Gateway, build
from parley_gateway.call import Shared
from parley_gateway.limits import CallLimits
from parley_gateway.protocol import event
from parley_gateway.resume import Resumed
from parley_gateway.state import EntryState, TalkState
from parley_gateway.store import Unavailable, UnknownCall
from support.keeping import RESUME_SECONDS, Keeping, keeping

TOKEN = "open-sesame"


class FakeConversation:
    """Stands in for the conversation: says what was done to it, and does what a test says."""

    made: list["FakeConversation"] = []

    def __init__(
        self,
        conversation_id: str,
        profile: Profile,
        client: Any,
        engine: Any,
        *,
        on_state: Callable[[TalkState], None],
        record: Callable[..., None],
        agent: str = "",
        resumed: Resumed | None = None,
    ) -> None:
        self.id = conversation_id
        self.client = client
        self.resumed = resumed
        self.audio_from_ms = 0.0 if resumed is None else resumed.audio_from_ms
        self.record = record
        self.quiet = True
        self.standing = ("listening", 0)
        self.heard = b""
        self.calls: list[Any] = []
        self.fault: Exception | None = None
        self._on_state = on_state
        self._state = TalkState() if resumed is None else resumed.state
        self._over = asyncio.Event()
        FakeConversation.made.append(self)

    def stands(self, state: TalkState) -> None:
        """From now on it stands there."""
        self._state = state
        self._on_state(state)

    def fail(self, fault: Exception) -> None:
        """It breaks."""
        self.fault = fault
        self._over.set()

    async def open(self) -> None:
        """Nothing can be missing."""

    async def run(self) -> str:
        """Until it ends."""
        await self._over.wait()
        if self.fault is not None:
            raise ExceptionGroup("conversation", [self.fault])
        return "hang_up"

    def end(self) -> None:
        self.calls.append("end")
        self._over.set()

    def abandon(self) -> None:
        self.calls.append("abandon")
        self._over.set()

    async def close(self) -> None:
        self.calls.append("close")

    async def audio(self, pcm: bytes) -> None:
        self.heard += pcm

    def user_text(self, text: str) -> None:
        self.calls.append(text)

    def interrupt(self) -> None:
        self.calls.append("interrupt")

    def playback(self, turn: int, ms: float) -> None:
        self.calls.append((turn, ms))

    def state(self) -> TalkState:
        return self._state


class _Workers:
    """All stages are served."""

    def missing(self) -> list[str]:
        return []

    def stages(self) -> dict[str, Any]:
        return {}

    def status(self) -> list[Any]:
        return []


@dataclass
class _Engine:
    bus: Bus


@dataclass
class Running:
    """A gateway that runs, and its parts."""

    port: int
    gateway: Gateway
    kept: Keeping

    async def call(self, **query: object) -> "Caller":
        """A call; the server's first message is read."""
        query = {"token": TOKEN, **query}
        url = f"ws://127.0.0.1:{self.port}/conversation?{urlencode(query)}"
        caller = Caller(await connect(url, compression=None, proxy=None))
        caller.first = await caller.event()
        if caller.first["type"] == "ready":
            caller.conversation = FakeConversation.made[-1]
        return caller

    async def get(self, path: str) -> httpx.Response:
        """An HTTP answer, with the token."""
        async with httpx.AsyncClient(trust_env=False) as client:
            headers = {"Authorization": f"Bearer {TOKEN}"}
            return await client.get(f"http://127.0.0.1:{self.port}{path}", headers=headers)


StartGateway = Callable[..., Awaitable[Running]]


@dataclass
class Caller:
    """A client. `first` is the server's first message, `ready` or a refusal."""

    socket: ClientConnection
    first: dict[str, Any] = field(default_factory=dict)
    conversation: FakeConversation = field(init=False)

    @property
    def token(self) -> str:
        """What resumes the call."""
        return str(self.first["resume_token"])

    async def send(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps(event(kind, **fields)))

    async def event(self) -> dict[str, Any]:
        """The next JSON message."""
        async with asyncio.timeout(20):
            while isinstance(message := await self.socket.recv(), bytes):
                pass
        found = json.loads(message)
        assert isinstance(found, dict)
        return found

    async def closed(self) -> tuple[int | None, list[dict[str, Any]]]:
        """The close code, and what came before it."""
        before = []
        try:
            while True:
                before.append(await self.event())
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None, before

    async def end(self) -> None:
        """Hang up."""
        await self.send("end")
        assert (await self.closed())[0] == 1000

    def vanish(self) -> None:
        """The network breaks."""
        self.socket.transport.abort()


@contextlib.asynccontextmanager
async def running(
    nats_url: str,
    *,
    resume_seconds: float = RESUME_SECONDS,
    max_conversations: int = 10,
    limits: CallLimits | None = None,
    wait_ready: bool = True,
) -> AsyncIterator[Running]:
    """A gateway. The test has put FakeConversation in the conversation's place."""
    workers: Any = _Workers()
    async with keeping(nats_url, resume_seconds=resume_seconds, wait_ready=wait_ready) as kept:
        engine: Any = _Engine(kept.bus)
        admission = Admission(
            kept.bus,
            workers,
            Profiles(agents={"default": Profile(), "tess": Profile()}),
            kept.store,
            max_conversations=max_conversations,
            access=Access(Door(Keyring(None, TOKEN)), kept.bus, kept.jetstream),
        )
        shared = Shared(engine, kept.store, kept.recorder, limits or CallLimits(600.0, 600.0))
        gateway = Gateway(shared, admission, workers, kept.history)
        async with health.serve(build(gateway), "127.0.0.1", 0, ws="websockets-sansio") as port:
            yield Running(port, gateway, kept)
            shared.stopping.set()
            shared.moving.set()


def talk(turn: int, understood_ms: float = 0.0) -> TalkState:
    """A state after so many turns, with nothing under way."""
    entries = [EntryState(speaker="human", turn=one + 1, text=f"{one + 1}") for one in range(turn)]
    return TalkState(turn=turn, entries=entries, understood_ms=understood_ms)


async def stored(gateway: Running, caller: Caller, state: TalkState, *, told: bool = True) -> None:
    """The call stands so, and that is stored."""
    if told:
        caller.conversation.stands(state)
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(UnknownCall, Unavailable):
                if (await gateway.kept.store.load(caller.conversation.id))[0].state == state:
                    return
            await asyncio.sleep(0.01)


async def forgotten(gateway: Running, conversation_id: str) -> None:
    """Return once the call is not stored any more."""
    async with asyncio.timeout(20):
        with contextlib.suppress(UnknownCall):
            while True:
                await gateway.kept.store.load(conversation_id)
                await asyncio.sleep(0.01)
