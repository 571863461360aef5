"""`parley calls`: the calls that go on, and those that are over and of which something is kept."""

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from parley.operating import LiveCall
from parley.records import Event, end_of, start_of
from parley_cli.board import duration
from parley_cli.operator import connected
from parley_cli.plain import plain
from parley_cli.records import NotKept, Records
from parley_cli.tables import table as columns


@dataclass(frozen=True)
class Wanted:
    """Which calls: `state` is live, ended or all; those that began in the last `hours`."""

    state: str = "all"
    agent: str | None = None
    hours: float = 24.0
    limit: int = 20

    def admits(self, summary: "Summary", now: float) -> bool:
        """Whether the call is one of them."""
        if self.agent is not None and summary.agent != self.agent:
            return False
        recent = summary.started_at is None or now - summary.started_at <= self.hours * 3600
        return recent and self.state in ("all", "live" if summary.live else "ended")


@dataclass(frozen=True)
class Summary:
    """One call. Times are s of Unix time; what is not known is None.

    `reason`: why it ended; a live call has none. `voice_to_voice_ms`: the median of its turns, a
    live call's last one.
    """

    id: str
    agent: str | None
    started_at: float | None
    seconds: float | None
    turns: int
    reason: str | None = None
    live: bool = False
    gateway: str | None = None
    voice_to_voice_ms: float | None = None
    failovers: int = 0
    recording: str | None = None


@dataclass(frozen=True)
class Others:
    """The calls that go on; `sure`: there are no more, for every gateway has answered."""

    live: set[str]
    sure: bool


async def calls(nats_url: str | None, wanted: Wanted, *, as_json: bool, console: Console) -> None:
    """Print them, the newest first."""
    async with connected(nats_url) as operator:
        await operator.listen()
        now = time.time()
        by_gateway = await operator.calls()
        found = live(by_gateway, now)
        if wanted.state != "live":
            others = Others({one.id for one in found}, sure=None not in by_gateway.values())
            found += await _ended(Records(operator.bus), wanted, others, now)
    found = [one for one in found if wanted.admits(one, now)][: wanted.limit]
    if as_json:
        console.out(json.dumps([asdict(one) for one in found]), highlight=False)
    else:
        console.print(table(found) if found else "no calls")


async def _ended(records: Records, wanted: Wanted, others: Others, now: float) -> list[Summary]:
    found: list[Summary] = []
    try:
        async for one in records.newest_first():
            if one in others.live:
                continue
            events = await records.conversation(one)
            if events and now - events[-1].at > wanted.hours * 3600:
                break  # All others are older still.
            summary = of_events(one, events, sure=others.sure)
            if wanted.admits(summary, now):
                found.append(summary)
            if len(found) == wanted.limit:
                break
    except NotKept as reason:
        print(f"only live calls: {reason}", file=sys.stderr)  # noqa: T201 -- beside the JSON
    return found


# --- Pure


def live(by_gateway: Mapping[str, list[LiveCall] | None], now: float) -> list[Summary]:
    """The calls that go on, the newest first."""
    found = [
        of_live(call, gateway, now) for gateway, calls in by_gateway.items() for call in calls or []
    ]
    return sorted(found, key=lambda one: -(one.started_at or 0.0))


def of_live(call: LiveCall, gateway: str, now: float) -> Summary:
    """A call that goes on, as its gateway describes it."""
    return Summary(
        id=call.id,
        agent=call.agent,
        started_at=now - call.age_seconds,
        seconds=call.age_seconds,
        turns=call.turn,
        live=True,
        gateway=gateway,
        voice_to_voice_ms=call.voice_to_voice_ms,
        failovers=call.failovers,
        recording=call.recording,
    )


def of_events(conversation_id: str, events: list[Event], *, sure: bool = True) -> Summary:
    """A call by its events in order; `sure`: no gateway has it."""
    first = start_of(events)
    ended_at, reason = end_of(events)
    last = ended_at or (events[-1].at if events else None)
    times = [one.fields.get("voice_to_voice_ms") for one in events if one.kind == "turn"]
    known = [ms for ms in times if ms is not None]
    recordings = [str(one.fields.get("file")) for one in events if one.kind == "recording"]
    return Summary(
        id=conversation_id,
        agent=None if first is None else first.fields.get("agent"),
        started_at=None if first is None else first.at,
        seconds=None if first is None or last is None else last - first.at,
        turns=len({one.fields.get("turn") for one in events if one.kind == "user"}),
        reason=reason or ("lost" if sure else "unknown"),
        voice_to_voice_ms=median(known) if known else None,
        failovers=sum(one.kind == "failover" for one in events),
        recording=recordings[-1] if recordings else None,
    )


def table(found: list[Summary]) -> Table:
    """The calls as a table."""
    numbers = ("length", "turns", "voice to\nvoice", "failed\nover")
    view = columns("call", "agent", "began (UTC)", "state", *numbers)
    for one in found:
        view.add_row(*_row(one))
    return view


def _row(one: Summary) -> list[Any]:
    at, ms = one.started_at, one.voice_to_voice_ms
    began = "" if at is None else time.strftime("%m-%d %H:%M:%S", time.gmtime(at))
    return [
        Text(plain(one.id)),
        Text(plain(one.agent or "?")),
        began,
        Text("live", "green") if one.live else Text(plain(one.reason or "")),
        "" if one.seconds is None else duration(one.seconds),
        str(one.turns),
        "" if ms is None else f"{ms:.0f} ms",
        str(one.failovers or ""),
    ]
