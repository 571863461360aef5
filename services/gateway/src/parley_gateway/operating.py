"""What a gateway tells operators, and does for them: see `parley.operating`."""

import asyncio
import secrets
import socket
from collections.abc import Callable

from nats.aio.msg import Msg

from parley import logs, subjects
from parley.bus import Bus, decode_or_drop, respond, unsubscribe
from parley.operating import CallsWanted, Drain, GatewayStatus, LiveCalls
from parley_gateway.app import Gateway

log = logs.get(__name__)

STATUS_SECONDS = 1.0
"""How often a gateway says what it has."""
MAX_CALLS = 2000
"""Calls in one answer, the oldest: NATS takes 1 MiB at most."""


class Operating:
    """`run` is its task. `drain` has the gateway stop, as SIGTERM does."""

    def __init__(self, bus: Bus, gateway: Gateway, drain: Callable[[], None]) -> None:
        self.id = f"gateway-{secrets.token_hex(4)}"
        self._bus = bus
        self._gateway = gateway
        self._drain = drain
        self._host = socket.gethostname()

    async def run(self) -> None:
        """Announce this gateway, and do what it is told, until cancelled."""
        orders = await self._bus.subscribe(subjects.operate(self.id), self._on_order)
        try:
            while True:
                await self._announce(self.status())
                await asyncio.sleep(STATUS_SECONDS)
        finally:
            await unsubscribe(orders)
            await self._announce(self.status().model_copy(update={"state": "gone"}))

    def status(self) -> GatewayStatus:
        """How this gateway is."""
        _, detail = self._gateway.readiness()
        shared = self._gateway.shared
        return GatewayStatus(
            gateway_id=self.id,
            host=self._host,
            capacity=detail["capacity"],
            running=detail["running"],
            state=detail["state"],
            keeps=shared.store.available,
            voice_to_voice_ms=shared.live.voice_to_voice_ms(),
        )

    async def _announce(self, status: GatewayStatus) -> None:
        if self._bus.connected:
            await self._bus.publish(subjects.gateway(self.id), status)

    async def _on_order(self, msg: Msg) -> None:
        order = decode_or_drop(msg.data, msg.subject)
        match order:
            case Drain():
                log.info("told to drain", gateway=self.id)
                self._drain()
                answer = self.status().model_copy(update={"state": "draining"})
                await respond(msg, answer)
            case CallsWanted():
                calls = self._gateway.shared.live.calls()[:MAX_CALLS]
                await respond(msg, LiveCalls(gateway_id=self.id, calls=calls))
