"""What the gateways tell each other of the keys' use, and where their seconds are added up.

The seconds are counters of JetStream's (NATS 2.12 or newer). Without them, and while they are
away, each gateway goes by what it knows itself.
"""

import asyncio
import secrets
import time

from nats.aio.msg import Msg
from nats.js.api import Header, StorageType, StreamConfig

from parley import logs, subjects
from parley.api_keys import ApiKey
from parley.bus import Bus, decode_or_drop, unsubscribe
from parley.messages import KeysInUse
from parley_gateway.access.keyring import Keyring
from parley_gateway.access.quotas import Quotas, Use, periods
from parley_gateway.jetstream import ERRORS, answered, ensure

log = logs.get(__name__)

STREAM = "PARLEY_USAGE"
REPORT_SECONDS = 1.0
"""How often a gateway says which keys are in use."""
COUNT_SECONDS = 5.0
"""How often the time of calls that go on is added up."""
ASK_SECONDS = 1.0
"""How long a call that begins waits to know what its key has used."""
KEPT_DAYS = 40


def stream_config(replicas: int) -> StreamConfig:
    """The counters: one subject for each key and day, and each key and month."""
    return StreamConfig(
        name=STREAM,
        subjects=[subjects.SPENT],
        storage=StorageType.FILE,
        num_replicas=replicas,
        max_msgs_per_subject=1,
        max_age=KEPT_DAYS * 86_400.0,
        allow_direct=True,
        allow_msg_counter=True,
    )


class Sharing:
    """`run` is its task."""

    def __init__(self, bus: Bus, keyring: Keyring, quotas: Quotas, replicas: int = 1) -> None:
        self._bus = bus
        self._keyring = keyring
        self._quotas = quotas
        self._gateway_id = secrets.token_hex(8)
        self._stream = stream_config(replicas)
        self._context = bus.jetstream(ASK_SECONDS)
        self._made = False
        self._again_at = 0.0
        self._warned = False
        self._lock = asyncio.Lock()

    async def run(self) -> None:
        """Tell and hear, and count, until cancelled."""
        heard = await self._bus.subscribe(subjects.USAGE, self._on_report)
        count_at = time.monotonic() + COUNT_SECONDS
        try:
            while True:
                await asyncio.sleep(REPORT_SECONDS)
                await self.report()
                if time.monotonic() >= count_at:
                    await self.count()
                    count_at = time.monotonic() + COUNT_SECONDS
        finally:
            await unsubscribe(heard)

    async def report(self) -> None:
        """Say which keys are in use here."""
        if not self._bus.connected:
            return
        own = self._quotas.own(time.time())
        keys = {name: (use.calls, use.begun) for name, use in own.items()}
        await self._bus.publish(subjects.USAGE, KeysInUse(gateway_id=self._gateway_id, keys=keys))

    async def _on_report(self, msg: Msg) -> None:
        report = decode_or_drop(msg.data, msg.subject)
        if isinstance(report, KeysInUse) and report.gateway_id != self._gateway_id:
            uses = {name: Use(*counts) for name, counts in report.keys.items()}
            self._quotas.hear(report.gateway_id, uses, time.time())

    # --- Time

    async def ask(self, name: str, key: ApiKey) -> None:
        """Raises quota_used_up where the key has no time left, at all gateways together."""
        if key.minutes_a_day is None and key.minutes_a_month is None:
            return
        now = time.time()
        async with self._lock:
            for period in periods(now):
                if not await self._settle(name, period):
                    break
        self._quotas.check_time(name, key, now)

    async def count(self) -> None:
        """Add up the time of the calls that go on, and end those whose key has none left."""
        now = time.time()
        self._quotas.tick(now)
        async with self._lock:
            for name, period in list(self._quotas.pending):
                if not await self._settle(name, period):
                    break
        self._quotas.forget_past(now)
        self._quotas.stop_used_up(self._keyring.keys, now)

    async def _settle(self, name: str, period: str) -> bool:
        """Tell the counter of what is pending, and learn the total; False if that cannot be."""
        seconds = int(self._quotas.pending.get((name, period), 0.0))
        try:
            if not self._bus.connected or time.monotonic() < self._again_at:
                return False
            if not self._made:
                await ensure(self._context, self._stream)
                self._made = True
            # A counter takes no message that says which stream it expects.
            added = {Header.INCR.value: f"+{seconds}"}
            subject = subjects.spent(name, period)
            answer = await answered(self._context.publish(subject, headers=added))
        except ERRORS as error:
            self._made = False
            self._again_at = time.monotonic() + COUNT_SECONDS  # Calls must not wait one by one.
            self._warn(str(error) or type(error).__name__)
            return False
        if answer.val is None:
            self._warn("this NATS server has no counters")
            return False
        self._quotas.settle(name, period, seconds, float(answer.val))
        return True

    def _warn(self, reason: str) -> None:
        if not self._warned:
            log.warning("keys' minutes are counted by this gateway alone", reason=reason)
        self._warned = True
