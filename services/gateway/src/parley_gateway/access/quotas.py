"""How much each key may call, and how much it has (pure): calls at once, calls a minute, time.

All gateways count together: each hears from the others what calls they have, and NATS adds up
the seconds. Between two such reports a key may get a little more than its limit.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from parley.api_keys import ApiKey
from parley_gateway import metrics, protocol
from parley_gateway.protocol import ProtocolError

FORGET_SECONDS = 3.5
"""A gateway that was silent for so long has no calls any more: they speak each second."""
MINUTE = 60.0


@dataclass(frozen=True)
class Use:
    """A key's calls at one gateway: now, and begun within the last minute."""

    calls: int
    begun: int


@dataclass(eq=False)
class Lease:
    """One call of a key's. `stopped` is set when it must end, and `error` says why.

    `timed`: the key's time is limited.
    """

    name: str
    counted_at: float
    timed: bool = False
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    error: ProtocolError | None = None

    def stop(self, error: ProtocolError) -> None:
        """Have the call end."""
        self.error = error
        self.stopped.set()


def periods(now: float) -> tuple[str, str]:
    """The day and the month, UTC's, of `now` (s of Unix time): 2026-11-23 and 2026-11."""
    day = datetime.fromtimestamp(now, UTC).date().isoformat()
    return day, day[:7]


class Quotas:
    """What the keys use. `now` is in s of Unix time throughout."""

    def __init__(self) -> None:
        self.leases: set[Lease] = set()
        self.pending: dict[tuple[str, str], float] = {}
        """Seconds, by key and period, that NATS has not been told of."""
        self._totals: dict[tuple[str, str], float] = {}
        self._begun: dict[str, deque[float]] = {}
        self._others: dict[str, tuple[float, Mapping[str, Use]]] = {}

    # --- Calls

    def begin(self, name: str, key: ApiKey, now: float, *, resuming: bool = False) -> Lease:
        """A call begins. Raises too_many_calls; one that goes on elsewhere is no new one."""
        if not resuming:
            self._check_calls(name, key, now)
            self._check_rate(name, key, now)
            self._begun.setdefault(name, deque()).append(now)
            metrics.KEY_CALLS.labels(name).inc()
        lease = Lease(name, now, key.minutes_a_day is not None or key.minutes_a_month is not None)
        self.leases.add(lease)
        metrics.KEY_CALLS_ACTIVE.labels(name).inc()
        return lease

    def come_back(self, lease: Lease, key: ApiKey, now: float) -> None:
        """The call had given up its place: it needs one again. Raises too_many_calls."""
        self._check_calls(lease.name, key, now, besides=lease)

    def end(self, lease: Lease, now: float) -> None:
        """It is over."""
        self._count(lease, now)
        self.leases.discard(lease)
        metrics.KEY_CALLS_ACTIVE.labels(lease.name).dec()

    def revoke(self, names: Collection[str]) -> None:
        """Only these keys are good any more."""
        for lease in self.leases:
            if lease.name not in names:
                lease.stop(protocol.unauthorized())

    def _check_calls(
        self, name: str, key: ApiKey, now: float, besides: Lease | None = None
    ) -> None:
        if key.calls is None:
            return
        own = sum(lease.name == name for lease in self.leases if lease is not besides)
        if own + self._elsewhere(name, now).calls >= key.calls:
            raise protocol.too_many_calls(f"this key may hold {key.calls} calls at once")

    def _check_rate(self, name: str, key: ApiKey, now: float) -> None:
        if key.calls_a_minute is None:
            return
        own = self._within_a_minute(name, now)
        if own + self._elsewhere(name, now).begun >= key.calls_a_minute:
            text = f"this key may begin {key.calls_a_minute} calls a minute"
            wait = self._begun[name][0] + MINUTE - now if own else MINUTE / 2
            raise protocol.too_many_calls(text, after_ms=int(wait * 1000))

    def _within_a_minute(self, name: str, now: float) -> int:
        begun = self._begun.get(name)
        while begun and begun[0] <= now - MINUTE:
            begun.popleft()
        return len(begun or ())

    # --- What gateways tell each other

    def own(self, now: float) -> dict[str, Use]:
        """The keys that are in use here."""
        calls = Counter(lease.name for lease in self.leases)
        begun = {name: self._within_a_minute(name, now) for name in self._begun}
        self._begun = {name: self._begun[name] for name, count in begun.items() if count}
        return {name: Use(calls[name], begun.get(name, 0)) for name in {*calls, *self._begun}}

    def hear(self, gateway: str, uses: Mapping[str, Use], now: float) -> None:
        """What another gateway says of itself."""
        self._others[gateway] = now, uses

    def _elsewhere(self, name: str, now: float) -> Use:
        heard = {one: told for one, told in self._others.items() if told[0] > now - FORGET_SECONDS}
        self._others = heard
        uses = [told[1][name] for told in heard.values() if name in told[1]]
        return Use(sum(use.calls for use in uses), sum(use.begun for use in uses))

    # --- Time

    def tick(self, now: float) -> None:
        """Count the time of the calls that go on."""
        for lease in self.leases:
            self._count(lease, now)

    def _count(self, lease: Lease, now: float) -> None:
        seconds = max(0.0, now - lease.counted_at)
        lease.counted_at = now
        metrics.KEY_SECONDS.labels(lease.name).inc(seconds)
        for period in periods(now) if lease.timed else ():
            before = self.pending.get((lease.name, period), 0.0)
            self.pending[lease.name, period] = before + seconds

    def settle(self, name: str, period: str, seconds: float, total: float) -> None:
        """NATS has been told of `seconds`; with them, it is `total` at all gateways."""
        self._totals[name, period] = total
        left = self.pending.pop((name, period), 0.0) - seconds
        if left > 0:
            self.pending[name, period] = left

    def check_time(self, name: str, key: ApiKey, now: float) -> None:
        """Raises quota_used_up."""
        day, month = periods(now)
        limits = ((day, key.minutes_a_day, "day"), (month, key.minutes_a_month, "month"))
        for period, minutes, kind in limits:
            if minutes is not None and self._used(name, period) >= minutes * 60:
                raise protocol.quota_used_up(f"this key's {minutes:g} minutes a {kind} are used up")

    def stop_used_up(self, keys: Mapping[str, ApiKey], now: float) -> None:
        """Calls of keys whose time is used up end."""
        for lease in self.leases:
            if (key := keys.get(lease.name)) is None:
                continue
            try:
                self.check_time(lease.name, key, now)
            except ProtocolError as error:
                lease.stop(error)

    def forget_past(self, now: float) -> None:
        """Days and months that are over matter no more."""
        current = periods(now)
        self._totals = {at: total for at, total in self._totals.items() if at[1] in current}
        self.pending = {at: seconds for at, seconds in self.pending.items() if at[1] in current}

    def _used(self, name: str, period: str) -> float:
        return self._totals.get((name, period), 0.0) + self.pending.get((name, period), 0.0)
