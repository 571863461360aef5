"""All that decides who may call, in one piece: the door, the quotas, and the tokens' use."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

from parley.bus import Bus
from parley.metrics import start_at_zero
from parley_gateway import metrics
from parley_gateway.access.door import Door, Grant, Visitor
from parley_gateway.access.quotas import Lease, Quotas
from parley_gateway.access.sharing import Sharing
from parley_gateway.access.spent import SpentTokens
from parley_gateway.jetstream import JetStream
from parley_gateway.protocol import ProtocolError


@dataclass(frozen=True)
class Entry:
    """Somebody who was let in to call; `lease` is None where no keys are asked for."""

    grant: Grant
    lease: Lease | None


class Access:
    """Of one gateway. `run` is its task."""

    def __init__(self, door: Door, bus: Bus, jetstream: JetStream, replicas: int = 1) -> None:
        self.door = door
        self._quotas = Quotas()
        self._sharing = Sharing(bus, door.keyring, self._quotas, replicas)
        self._spent = SpentTokens(jetstream)
        self._on_keys()

    async def run(self) -> None:
        """Keep up with the file of keys and with the other gateways, until cancelled."""
        if not self.door.keyring.needed:
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.door.keyring.run(self._on_keys))
            tasks.create_task(self._sharing.run())

    async def flush(self) -> None:
        """What the calls have used is added up now."""
        if self.door.keyring.needed:
            await self._sharing.count()

    def _on_keys(self) -> None:
        keys = self.door.keyring.keys.keys()
        self._quotas.revoke(keys)
        for counter in (metrics.KEY_CALLS, metrics.KEY_SECONDS):
            start_at_zero(counter, keys)
        start_at_zero(metrics.KEY_REFUSALS, keys, ["too_many_calls", "quota_used_up"])

    @contextlib.contextmanager
    def admit(self, visitor: Visitor, *, resuming: bool) -> Iterator[Entry]:
        """Let somebody call, for as long as the call lasts. Raises ProtocolError.

        Who goes on with a call begins none: only who it is counts.
        """
        grant = self.door.admit(visitor, resuming=resuming)
        if grant.name is None or grant.key is None:
            yield Entry(grant, None)
            return
        lease = None
        try:
            lease = self._quotas.begin(grant.name, grant.key, time.time(), resuming=resuming)
            yield Entry(grant, lease)
        except ProtocolError as error:
            metrics.KEY_REFUSALS.labels(grant.name, error.code).inc()
            raise
        finally:
            if lease is not None:
                self._quotas.end(lease, time.time())

    async def begin(self, grant: Grant) -> None:
        """A new call is about to begin. Raises ProtocolError: quota_used_up, token_used, ..."""
        if grant.name is not None and grant.key is not None:
            await self._sharing.ask(grant.name, grant.key)
        if grant.claims is not None and grant.claims.once:
            await self._spent.spend(grant.claims)

    async def give_back(self, grant: Grant) -> None:
        """The new call found no worker: who has a token for one call may try again with it."""
        if grant.claims is not None and grant.claims.once:
            await self._spent.give_back(grant.claims)

    def come_back(self, entry: Entry) -> None:
        """A call whose client was gone goes on, if there is room. Raises too_many_calls."""
        if entry.lease is not None and entry.grant.key is not None:
            self._quotas.come_back(entry.lease, entry.grant.key, time.time())
