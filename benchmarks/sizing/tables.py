"""The tables of docs/sizing.md: all of them are made from results/sizing.json."""

import math
import statistics
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.providers.tables import between, table
from benchmarks.sizing import bus, sums
from benchmarks.sizing.bus import PerCall
from benchmarks.sizing.sums import PODS, SERVICES, Cost

PROFILES = ("cloud", "embedded")
BEYOND = "cloud without hearing"
CALLS = (100, 1_000, 100_000)
SERVER_CORES = 8.0
"""Of each NATS server, in the cells of the sums."""

Result = Mapping[str, Any]
Rows = list[list[str]]


def filled(page: str, result: Result) -> str:
    """The page with its tables made anew. Raises ValueError where one has no place."""
    for name, made in TABLES.items():
        page = between(page, name, made(result))
    return page


def services(result: Result) -> str:
    """What a call costs each process."""
    rows: Rows = []
    for profile in PROFILES:
        for name, cost in _own(result, profile).items():
            cpu, memory = cost.cpu, cost.memory
            rows.append(
                [
                    profile,
                    name,
                    f"{100 * cpu.at(0):.1f} %",
                    f"{cpu.points[-1][0]:.0f}",
                    f"{100 * cpu.each:.2f} %",
                    _round(1 / cpu.each),
                    f"{100 * cpu.spread:.0f} %",
                    f"{memory.fixed:.0f}",
                    f"{memory.each:.2f}",
                    f"{cost.jobs:.2f}" if name in SERVICES else "",
                ]
            )
    head = ["providers", "process", "core, idle", "calls, at most", "core, each call then"]
    head += ["calls a core", "off by", "MB, idle", "MB, each call"]
    return table([*head, "jobs a call"], rows)


def loads(result: Result) -> str:
    """How a call gets cheaper the more there are."""
    rows: Rows = []
    for profile in PROFILES:
        found = _own(result, profile)
        numbers = sorted({calls for cost in found.values() for calls, _ in cost.cpu.points})
        rows.append([f"**{profile}**, calls:", *(f"{calls:.0f}" for calls in numbers if calls)])
        for name, cost in found.items():
            points = dict(cost.cpu.points)
            shares = (points.get(calls, 0) / calls for calls in numbers if calls)
            rows.append([name, *(f"{100 * share:.2f} %" if share else "" for share in shares)])
    width = max(len(row) for row in rows)
    padded = [[*row, *[""] * (width - len(row))] for row in rows]
    return table(["core, each call", *[""] * (width - 1)], padded)


def pods(result: Result) -> str:
    """What a pod of deploy/kubernetes holds, and what is used up first."""
    rows: Rows = []
    for profile in PROFILES:
        found = costs(result, profile)
        for name in SERVICES:
            cost, pod = found[name], PODS[profile][name]
            by_jobs, by_cores = pod.capacity / cost.jobs, cost.cpu.calls(pod.cores)
            calls = min(by_jobs, by_cores)
            memory, limit = cost.memory.at(calls), pod.mebibytes * sums.MIB / 1e6
            rows.append(
                [
                    profile,
                    name,
                    f"{pod.capacity} {'calls' if name == 'gateway' else 'jobs'}",
                    f"{pod.cores:g}",
                    _round(by_jobs),
                    _round(by_cores),
                    f"{memory:.0f} of {limit:.0f}",
                    _round(calls / (memory / 1000)),
                ]
            )
    head = ["providers", "service", "capacity", "cores", "calls by capacity", "calls by cores"]
    return table([*head, "MB with the fewer of them", "calls a GB"], rows)


def traffic(result: Result) -> str:
    """What a call sends through NATS, by service, at the largest number of calls measured."""
    rows: Rows = []
    for profile, measured in result["profiles"].items():
        if profile == BEYOND:
            continue
        calls = max(window["calls"] for window in measured["windows"])
        windows = [window for window in measured["windows"] if window["calls"] == calls]
        for name in SERVICES:
            rates = (
                statistics.fmean(window["traffic"][name][what] for window in windows) / calls
                for what in ("messages_out", "bytes_out", "messages_in", "bytes_in")
            )
            out, bytes_out, into, bytes_in = rates
            figures = (out, bytes_out / 1000, into, bytes_in / 1000)
            rows.append([profile, name, *(f"{figure:.1f}" for figure in figures)])
    head = ["providers", "service", "publishes, messages/s", "kB/s"]
    return table([*head, "is delivered, messages/s", "kB/s"], rows)


def totals(result: Result) -> str:
    """The same for NATS: each call's part, whatever its fixed part is."""
    rows: Rows = []
    for profile in PROFILES:
        one = _per_call(result, profile)
        windows = [one for one in result["profiles"][profile]["windows"] if one["calls"]]
        turns = sum(window["turns"] for window in windows)
        call_seconds = sum(window["calls"] * window["seconds"] for window in windows)
        writes = sum(window["writes"] * window["seconds"] for window in windows)
        kept = max(window["record_bytes"] for window in windows)
        rows.append(
            [
                profile,
                f"{one.published:.0f}",
                f"{one.delivered:.0f}",
                f"{one.published_bytes / 1000:.0f}",
                f"{one.delivered_bytes / 1000:.0f}",
                f"{60 * turns / call_seconds:.1f}",
                f"{writes / turns:.1f}",
                f"{kept / 1000:.1f}",
            ]
        )
    head = ["providers", "published/s", "delivered/s", "kB/s in", "kB/s out", "turns a minute"]
    return table([*head, "writes a turn", "kB a record, at most"], rows)


def others(result: Result) -> str:
    """What processes cost each other, and what a cluster costs."""
    measured = {**result["peers"], **result["messages"]}
    rows = [
        [what, f"{measured[name]:.0f}" if measured[name] >= 10 else f"{measured[name]:.1f}"]
        for what, name in (
            ("a probe: the gateway that sends it", "probe_sent_us"),
            ("a probe: the worker that gets it", "probe_received_us"),
            ("a worker's announcement: each gateway", "status_received_us"),
            ("NATS: a message, 24,000 a second, open to everybody", "message_open_us"),
            ("NATS: a message, 24,000 a second, with keys", "message_keys_us"),
            ("NATS: a message, 24,000 a second, with keys, TLS on both sides", "message_tls_us"),
            ("NATS: a message, 8,000 a second, with keys", "message_few_us"),
            ("three servers: a message, 8,000 a second, both clients on one", "message_near_us"),
            ("three servers: a message, 8,000 a second, clients on two", "message_far_us"),
            ("three servers: a record of 4 kB, all together", "record_us"),
        )
    ]
    return table(["what", "us of processor"], rows)


def needed(result: Result) -> str:
    """What so many calls need of each service."""
    rows: Rows = []
    for profile in PROFILES:
        for calls in CALLS:
            cells, each = _cells(result, profile, calls)
            found = sums.needs(costs(result, profile), PODS[profile], sums.peers(result), each)
            counts = [f"{cells * found[name].replicas:,}" for name in SERVICES]
            used = cells * sum(need.cores for need in found.values())
            asked = cells * sum(need.cores_asked for need in found.values())
            memory = cells * sum(need.gigabytes for need in found.values())
            memory_asked = cells * sum(need.gigabytes_asked for need in found.values())
            rows.append(
                [
                    profile,
                    f"{calls:,}",
                    f"{cells} x {each:,}",
                    *counts,
                    f"{_round(used)} of {_round(asked)}",
                    f"{_round(memory)} of {_round(memory_asked)}",
                ]
            )
    head = ["providers", "calls", "cells x calls", *SERVICES]
    return table([*head, "cores", "GB"], rows)


def cluster(result: Result) -> str:
    """What NATS has to do for so many calls, in each cell."""
    rows: Rows = []
    for profile in PROFILES:
        for calls in CALLS:
            cells, each = _cells(result, profile, calls)
            spent, one = costs(result, profile), _per_call(result, profile)
            found = sums.needs(spent, PODS[profile], sums.peers(result), each)
            done = bus.load(one, spent, found, each, bus.prices(result["messages"]))
            rows.append(
                [
                    profile,
                    f"{calls:,}",
                    f"{cells}",
                    _round(done.published),
                    _round(done.delivered),
                    _round(done.probes),
                    _round(done.statuses),
                    _round(done.crossing),
                    _round(done.handled / bus.SERVERS),
                    f"{done.megabytes_out:.0f}",
                    _round(done.writes),
                    " / ".join(f"{cores / bus.SERVERS:.2f}" for cores in done.cores.values()),
                ]
            )
    head = ["providers", "calls", "cells", "published", "delivered", "of these probes"]
    head += ["announcements", "crossing", "handled by each server", "MB out", "records written"]
    return table([*head, "cores of each server: open / keys / TLS"], rows)


def limits(result: Result) -> str:
    """How many calls a cell may have."""
    rows: Rows = []
    for profile in PROFILES:
        for cores in (2, 4, SERVER_CORES, 16):
            found = _cell(result, profile, cores)
            rows.append([profile, f"{cores:g}", f"{found.calls:,}", found.bound])
    head = ["providers", "cores of each NATS server", "calls in a cell, at most"]
    return table([*head, "what is met first"], rows)


TABLES: Mapping[str, Callable[[Result], str]] = {
    "services": services,
    "loads": loads,
    "pods": pods,
    "traffic": traffic,
    "totals": totals,
    "others": others,
    "needed": needed,
    "cluster": cluster,
    "limits": limits,
}
"""The tables, by the names of their places in the page."""


def costs(result: Result, profile: str) -> dict[str, Cost]:
    """What each process costs.

    The gateway and NATS do the same whoever the providers are, and were measured with more calls
    in the cloud.
    """
    found = result["profiles"]
    cloud = sums.costs(found["cloud"], found[BEYOND])
    if profile == "cloud":
        return cloud
    return {**sums.costs(found[profile]), "gateway": cloud["gateway"], "nats": cloud["nats"]}


def _own(result: Result, profile: str) -> dict[str, Cost]:
    """Those that were measured with these providers."""
    found = costs(result, profile)
    return found if profile == "cloud" else {name: found[name] for name in SERVICES[1:]}


def _per_call(result: Result, profile: str) -> PerCall:
    return bus.per_call(result["profiles"][profile])


def _cell(result: Result, profile: str, server_cores: float = SERVER_CORES) -> bus.Cell:
    return bus.cell(
        _per_call(result, profile),
        costs(result, profile),
        PODS[profile],
        sums.peers(result),
        bus.prices(result["messages"]),
        server_cores,
    )


def _cells(result: Result, profile: str, calls: int) -> tuple[int, int]:
    """Into how many cells so many calls are divided, and the calls of each."""
    cells = math.ceil(calls / _cell(result, profile).calls)
    return cells, math.ceil(calls / cells)


def _round(value: float) -> str:
    """Two digits say all that is known."""
    if value < 10:
        return f"{value:.1f}"
    digits = 1 - math.floor(math.log10(value))
    return f"{round(value, min(digits, 0)):,.0f}"
