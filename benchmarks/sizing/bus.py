"""NATS's part in the sums: messages, bytes, and the servers' processors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.sizing.fit import line
from benchmarks.sizing.sums import (
    PROBES_A_SECOND,
    SERVICES,
    Cost,
    Need,
    Peers,
    Pod,
    needs,
    used_workers,
)

SERVERS = 3
CROSSING = 2 / 3
"""Of the messages from one client to another on three servers, those whose clients are on two."""
SERVER_TARGET = 0.6
"""How far a server's cores are used at most in a cell."""
PEERS_TARGET = 0.1
"""The share of a core that a process may spend on all others at most, in a cell."""
STEP = 100
"""Cells are told in steps of so many calls."""
STATUS_BYTES = 300


@dataclass(frozen=True)
class Prices:
    """Microseconds of all servers' processors.

    `message`: in and out of one server, by how it is locked. `crossing`: what a message that goes
    on to another server costs more, as a share of that. `record`: kept by three servers.
    """

    message: Mapping[str, float]
    crossing: float
    record: float


def prices(measured: Mapping[str, float]) -> Prices:
    """Those that were measured."""
    near = measured["message_near_us"]
    return Prices(
        message={how: measured[f"message_{how}_us"] for how in ("open", "keys", "tls")},
        crossing=(measured["message_far_us"] - near) / near,
        record=measured["record_us"],
    )


@dataclass(frozen=True)
class PerCall:
    """A call's part, a second."""

    published: float
    delivered: float
    published_bytes: float
    delivered_bytes: float
    writes: float


@dataclass(frozen=True)
class Load:
    """A second, in one Parley; `handled`: messages in and out of one server, of all servers."""

    published: float
    delivered: float
    megabytes_out: float
    probes: float
    statuses: float
    crossing: float
    handled: float
    writes: float
    cores: Mapping[str, float]
    """Of all servers together, by how they are locked."""


def per_call(profile: Mapping[str, Any]) -> PerCall:
    """From one profile: all services together."""
    windows = profile["windows"]

    def each(what: str) -> float:
        points = [
            (window["calls"], sum(window["traffic"][name][what] for name in SERVICES))
            for window in windows
        ]
        return line(points).each

    return PerCall(
        published=each("messages_out"),
        delivered=each("messages_in"),
        published_bytes=each("bytes_out"),
        delivered_bytes=each("bytes_in"),
        writes=line([(window["calls"], window["writes"]) for window in windows]).each,
    )


def load(
    one: PerCall,
    spent: Mapping[str, Cost],
    needed: Mapping[str, Need],
    calls: int,
    prices: Prices,
) -> Load:
    """What NATS has to do for so many calls, in a cluster of three."""
    replicas = {name: need.replicas for name, need in needed.items()}
    gateways = replicas["gateway"]
    workers = sum(replicas.values()) - gateways
    probes = PROBES_A_SECOND * gateways * used_workers(spent, replicas, calls)
    statuses = float(workers * gateways)
    published = calls * one.published + probes + workers + gateways
    delivered = calls * one.delivered + probes + statuses
    # Each announcement crosses to the other servers once, however many gateways are there.
    crossing = CROSSING * (calls * one.delivered + probes) + workers * (SERVERS - 1)
    messages = (published + delivered) / 2
    writes = calls * one.writes
    return Load(
        published=published,
        delivered=delivered,
        megabytes_out=(calls * one.delivered_bytes + statuses * STATUS_BYTES) / 1e6,
        probes=probes,
        statuses=statuses,
        crossing=crossing,
        handled=messages + crossing,
        writes=writes,
        cores={
            how: ((messages + crossing * prices.crossing) * us + writes * prices.record) / 1e6
            for how, us in prices.message.items()
        },
    )


@dataclass(frozen=True)
class Cell:
    """The most calls that one Parley should have, and what keeps it from having more."""

    calls: int
    bound: str


def cell(
    one: PerCall,
    spent: Mapping[str, Cost],
    pods: Mapping[str, Pod],
    between: Peers,
    prices: Prices,
    server_cores: float,
) -> Cell:
    """The largest, in steps, in which neither NATS nor a process has too much to do; with TLS."""
    calls = 0
    while True:
        calls += STEP
        needed = needs(spent, pods, between, calls)
        bus = load(one, spent, needed, calls, prices)
        bounds = {"NATS": bus.cores["tls"] / SERVERS > SERVER_TARGET * server_cores}
        bounds |= {name: need.peers > PEERS_TARGET for name, need in needed.items()}
        if met := [name for name, is_met in bounds.items() if is_met]:
            return Cell(calls - STEP, met[0])
