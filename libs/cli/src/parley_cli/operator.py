"""The operator's connection to a running engine: who is there, which calls go on, orders."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.errors import APIError

from parley import logs, subjects
from parley.bus import Bus, BusUnreachable, decode_or_drop
from parley.config import ServiceConfig
from parley.messages import AnyMessage, Message, WorkerStatus
from parley.operating import CallsWanted, GatewayStatus, LiveCall, LiveCalls
from parley.records import STREAM
from parley_cli.errors import Failure
from parley_cli.fleet import Fleet, Seen

LISTEN_SECONDS = 1.5
"""How long it takes to have heard of everyone: they announce themselves each second."""
ANSWER_SECONDS = 2.0
CONNECT_SECONDS = 5.0
"""A person does not wait as long for NATS as a service that starts beside it."""


@dataclass(frozen=True)
class NatsState:
    """The server that we are connected to. `records`: how many events of conversations it keeps,
    and their bytes; None where none are kept.
    """

    address: str
    name: str
    version: str
    rtt_ms: float
    records: tuple[int, int] | None = None


class Operator:
    """Made by `connected`."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.fleet = Fleet()

    async def listen(self) -> None:
        """Hear of everyone from now on; returns when all who are there have been heard of."""
        await self.bus.subscribe(subjects.WORKERS, self._on_status)
        await self.bus.subscribe(subjects.GATEWAYS, self._on_status)
        await asyncio.sleep(LISTEN_SECONDS)

    async def _on_status(self, msg: Msg) -> None:
        status = decode_or_drop(msg.data, msg.subject)
        if isinstance(status, WorkerStatus | GatewayStatus) and msg.subject == subject_of(status):
            self.fleet.note(status)

    async def order(self, process_id: str, message: Message) -> AnyMessage:
        """Tell one worker or gateway something; its answer. Raises NoResponders, RequestTimeout, or
        ValueError for what is no id.
        """
        return await self.bus.request(subjects.operate(process_id), message, ANSWER_SECONDS)

    async def calls(self) -> dict[str, list[LiveCall] | None]:
        """The live calls by the ids of their gateways; None for one that does not answer."""
        there = self.fleet.gateways
        answers = await asyncio.gather(*map(self._calls_of, there))
        return dict(zip([one.id for one in there], answers, strict=True))

    async def _calls_of(self, gateway: Seen[GatewayStatus]) -> list[LiveCall] | None:
        if gateway.state == "silent":
            return None
        try:
            answer = await self.order(gateway.id, CallsWanted())
        except (NatsError, OSError):
            return None
        return answer.calls if isinstance(answer, LiveCalls) else None

    async def nats(self) -> NatsState | None:
        """How NATS is; None while it is away."""
        if not self.bus.connected:
            return None
        try:
            server = self.bus.server
            rtt = await self.bus.round_trip()
        except (NatsError, OSError, TimeoutError):
            return None
        records = await self._records()
        return NatsState(server.address, server.name, server.version, rtt * 1000, records)

    async def _records(self) -> tuple[int, int] | None:
        try:
            state = (await self.bus.jetstream(ANSWER_SECONDS).stream_info(STREAM)).state
        except (APIError, NatsError, OSError):
            return None
        return state.messages, state.bytes


def subject_of(status: WorkerStatus | GatewayStatus) -> str | None:
    """Where only this one may announce itself; None for an id that is none."""
    try:
        if isinstance(status, WorkerStatus):
            return subjects.worker(status.stage, status.worker_id)
        return subjects.gateway(status.gateway_id)
    except ValueError:
        return None


@asynccontextmanager
async def connected(nats_url: str | None) -> AsyncIterator[Operator]:
    """An operator's connection, by the settings of every service. Raises Failure."""
    logs.configure("parley", "console", "error")
    config = ServiceConfig() if nats_url is None else ServiceConfig(nats_url=nats_url)
    try:
        async with Bus(config, "parley-operator", connect_seconds=CONNECT_SECONDS) as bus:
            yield Operator(bus)
    except BusUnreachable as error:
        raise Failure(f"{error}. Start the engine, or name its NATS: --nats-url") from None
