"""How `parley top` looks."""

from rich.console import Group, RenderableType
from rich.text import Text

from parley_cli.board import duration
from parley_cli.fleet import Process
from parley_cli.look import Look, latency, stages
from parley_cli.plain import plain
from parley_cli.tables import table

MAX_PROCESSES = 20
"""Gateways and workers that are shown: those that are not ready, and the busiest."""
MAX_CALLS = 30
"""Calls that are shown; the longest first. The JSON has all of both."""
OTHER_LINES = 14
"""What is shown besides."""
COLOURS = {
    "ready": "green",
    "waiting": "yellow",
    "draining": "yellow",
    "silent": "red",
    "speaking": "green",
    "thinking": "cyan",
    "paused": "yellow",
}


def view(seen: Look, lines: int = 1000) -> RenderableType:
    """All of it, as tables, in so many lines."""
    room = max(lines - OTHER_LINES, 6)
    most = min(len(seen.gateways) + len(seen.workers), MAX_PROCESSES, room // 2)
    calls = _calls(seen, min(MAX_CALLS, room - most))
    return Group(_summary(seen), "", _stages(seen), "", _processes(seen, most), "", calls)


def _summary(seen: Look) -> RenderableType:
    calls = sum(one.status.running for one in seen.gateways if one.state != "silent")
    lines = max(sum(one.status.capacity for one in seen.gateways if one.state == "ready"), calls)
    found = latency(seen.gateways)
    many = "" if len(seen.gateways) == 1 else "s"
    text = Text(f"{calls} of {lines} calls on {len(seen.gateways)} gateway{many}")
    if found["turns"]:
        text.append(f"; voice to voice of {found['turns']} turns in the last 5 min: ")
        text.append(f"p50 {found['p50_ms']:.0f} ms, p95 {found['p95_ms']:.0f} ms", "bold")
    text.append("\n")
    return text + _nats(seen)


def _nats(seen: Look) -> Text:
    if (nats := seen.nats) is None:
        return Text("NATS is away", "red")
    text = Text(f"NATS {nats.version} at {nats.address}, {nats.rtt_ms:.1f} ms", "dim")
    if nats.records is not None:
        count, size = nats.records
        text.append(f"; {count} events of conversations kept, {size / 2**20:.1f} MB")
    return text


def _stages(seen: Look) -> RenderableType:
    rows = table("stage", "ready", "workers", "running", "capacity", "used", first_width=5)
    for stage, totals in stages(seen.workers).items():
        ready, capacity = totals["ready"], totals["capacity"]
        used = f"{100 * (capacity - totals['free']) / capacity:.0f}%" if capacity else ""
        counts = (str(totals["workers"]), str(totals["running"]), str(capacity), used)
        rows.add_row(stage, Text(str(ready), "green" if ready else "red"), *counts)
    return rows


def _processes(seen: Look, most: int) -> RenderableType:
    rows = table("gateway or worker", "state", "running", "capacity", "host")
    processes: list[Process] = [*seen.gateways, *seen.workers]
    told = sorted(processes, key=_unremarkable)[:most]
    for one in [one for one in processes if one in told]:
        state = _coloured(one.state)
        if one.state == "silent":
            state.append(f" {one.ago:.0f}s")
        status = one.status
        numbers = (str(status.running), str(status.capacity))
        rows.add_row(Text(plain(one.id)), state, *numbers, Text(plain(status.host)))
    return Group(rows, *_more(len(processes) - len(told)))


def _unremarkable(one: Process) -> tuple[bool, float]:
    return one.state == "ready", -one.status.running / max(one.status.capacity, 1)


def _more(count: int) -> list[Text]:
    return [Text(f"and {count} more", "dim")] if count > 0 else []


def _calls(seen: Look, most: int) -> RenderableType:
    numbers = ("turn", "voice to\nvoice", "failed\nover")
    rows = table("call", "agent", "age", "state", *numbers, "gateway")
    found = [(gateway, call) for gateway, calls in seen.calls.items() for call in calls or []]
    for gateway, call in sorted(found, key=lambda row: -row[1].age_seconds)[:most]:
        ms = call.voice_to_voice_ms
        rows.add_row(
            Text(plain(call.id)),
            Text(plain(call.agent)),
            duration(call.age_seconds),
            _coloured(call.state),
            str(call.turn),
            "" if ms is None else f"{ms:.0f} ms",
            str(call.failovers or ""),
            Text(plain(gateway)),
        )
    silent = [gateway for gateway, calls in seen.calls.items() if calls is None]
    notes = [Text(f"{plain(gateway)} does not say which calls it has", "red") for gateway in silent]
    notes += _more(len(found) - most)
    return Group(rows, *notes) if found else Group(Text("no calls", "dim"), *notes)


def _coloured(state: str) -> Text:
    return Text(plain(state), COLOURS.get(state, ""))
