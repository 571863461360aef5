"""How `parley top` looks."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from parley_cli.board import duration
from parley_cli.fleet import Process
from parley_cli.look import Look, latency, stages
from parley_cli.plain import plain

MAX_CALLS = 30
"""Calls that are shown; the longest first. The JSON has all."""
COLOURS = {
    "ready": "green",
    "waiting": "yellow",
    "draining": "yellow",
    "silent": "red",
    "speaking": "green",
    "thinking": "cyan",
    "paused": "yellow",
}


def view(seen: Look) -> RenderableType:
    """All of it, as tables."""
    return Group(_summary(seen), "", _stages(seen), "", _processes(seen), "", _calls(seen))


def _summary(seen: Look) -> RenderableType:
    calls = sum(one.status.running for one in seen.gateways)
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
    table = _table("stage", "ready", "workers", "running", "capacity", "used")
    for stage, totals in stages(seen.workers).items():
        ready, capacity, running = totals["ready"], totals["capacity"], totals["running"]
        used = f"{100 * running / capacity:.0f}%" if capacity else ""
        counts = (str(totals["workers"]), str(running), str(capacity), used)
        table.add_row(stage, Text(str(ready), "green" if ready else "red"), *counts)
    return table


def _processes(seen: Look) -> RenderableType:
    table = _table("gateway or worker", "state", "running", "capacity", "host")
    processes: list[Process] = [*seen.gateways, *seen.workers]
    for one in processes:
        state = _coloured(one.state)
        if one.state == "silent":
            state.append(f" {one.ago:.0f}s")
        status = one.status
        numbers = (str(status.running), str(status.capacity))
        table.add_row(Text(plain(one.id)), state, *numbers, Text(plain(status.host)))
    return table


def _calls(seen: Look) -> RenderableType:
    numbers = ("turn", "voice to voice", "failovers")
    table = _table("call", "agent", "age", "state", *numbers, "gateway")
    rows = [(gateway, call) for gateway, calls in seen.calls.items() for call in calls or []]
    for gateway, call in sorted(rows, key=lambda row: -row[1].age_seconds)[:MAX_CALLS]:
        ms = call.voice_to_voice_ms
        table.add_row(
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
    if len(rows) > MAX_CALLS:
        notes.append(Text(f"and {len(rows) - MAX_CALLS} more", "dim"))
    return Group(table, *notes) if rows else Group(Text("no calls", "dim"), *notes)


def _coloured(state: str) -> Text:
    return Text(plain(state), COLOURS.get(state, ""))


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(first, no_wrap=True)
    left = ("state", "host", "agent", "gateway")
    for name in others:
        table.add_column(name, justify="left" if name in left else "right", no_wrap=True)
    return table
