"""Tells the caller when the engine has lost its message bus, and when it is back."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from parley.profiles import Profile
from parley_gateway.client import Client
from parley_gateway.pacer import Pacer
from parley_gateway.playout import Playout
from parley_gateway.prepared import Prepared
from parley_gateway.protocol import event

if TYPE_CHECKING:
    from parley_gateway.conversation import Engine


class Holding:
    """Holds one call while NATS is away: nothing is lost, and it goes on afterwards."""

    def __init__(
        self, client: Client, engine: "Engine", profile: Profile, quiet: Callable[[], bool]
    ) -> None:
        self._client = client
        self._engine = engine
        self._profile = profile
        self._quiet = quiet

    async def run(self) -> None:
        """Watch the bus until cancelled."""
        bus = self._engine.bus
        while True:
            await bus.wait_disconnected()
            try:
                async with asyncio.timeout(self._engine.hold_seconds):
                    await bus.wait_connected()
            except TimeoutError:
                await self._tell()
                await bus.wait_connected()
                self._client.send_event(event("back"))

    async def _tell(self) -> None:
        self._client.send_event(event("holding", reason="the engine has lost its message bus"))
        rate = self._client.format.sample_rate
        sentence = self._engine.prepared.get(self._profile, self._profile.hold_message, rate)
        if sentence is not None and self._quiet():
            await Notice(self._client, sentence, self._quiet).play(self._engine.pacer)


class Notice:
    """Plays a prepared sentence outside of any turn; gives way once it is not `quiet` any more."""

    def __init__(
        self, client: Client, sentence: Prepared, quiet: Callable[[], bool] = lambda: True
    ) -> None:
        self._client = client
        self._quiet = quiet
        self._playout = Playout(client.format.sample_rate)
        self._playout.push(sentence.pcm)
        self._playout.finish()
        self._ended = asyncio.Event()

    async def play(self, pacer: Pacer) -> None:
        """Return when it was heard."""
        pacer.add(self)
        try:
            await self._ended.wait()
        finally:
            pacer.discard(self)

    def tick(self, now: float) -> None:
        """Deliver what is due. Called by the pacer."""
        if not self._quiet():
            self._ended.set()
            return
        for frame in self._playout.due(now).frames:
            self._client.send_audio(frame)
        if self._playout.ended_by(self._playout.heard_ms(now)):
            self._ended.set()
