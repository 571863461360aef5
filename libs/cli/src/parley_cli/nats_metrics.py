"""A NATS server's monitoring pages as Prometheus metrics. Pure.

The names are those of the official prometheus-nats-exporter, so that dashboards and alerts work
with either. That one makes a gauge of everything, and so does this; `rate` works all the same.
Connections and consumers have no series of their own: there may be many.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

Page = Mapping[str, Any]

CONNECTIONS = ("pending_bytes", "subscriptions", "in_msgs", "out_msgs", "in_bytes", "out_bytes")
"""What connections have, summed over those that /connz lists (the first 1,024)."""


@dataclass(frozen=True)
class Reading:
    """One look at a server: what /varz, /connz, /jsz and /healthz said."""

    varz: Page = field(default_factory=dict)
    connz: Page = field(default_factory=dict)
    jsz: Page = field(default_factory=dict)
    healthz: Page = field(default_factory=dict)


def metrics(reading: Reading, server: str) -> Iterator[Metric]:
    """The metrics of a server that answered; `server` is its label `server_id`."""
    yield from _of_varz(reading.varz, server)
    yield from _of_connz(reading.connz, server)
    yield from _of_jsz(reading.jsz, reading.varz)
    status = str(reading.healthz.get("status", "unknown"))
    yield _gauge("gnatsd_healthz_status", {"server_id": server}, float(status != "ok"))
    yield _health(server, status)


def unreachable(server: str) -> Iterator[Metric]:
    """All that can be said of a server that did not answer."""
    yield _health(server, "unreachable")


def _health(server: str, status: str) -> Metric:
    labels = {"server_id": server, "value": status}
    return _gauge("gnatsd_healthz_status_value", labels, float(status == "ok"))


def _of_varz(varz: Page, server: str) -> Iterator[Metric]:
    for path, value in sorted(_numbers(varz)):
        yield _gauge(f"gnatsd_varz_{path}", {"server_id": server}, value)
    for name in ("version", "server_name"):
        if name in varz:
            labels = {"server_id": server, "value": str(varz[name])}
            yield _gauge(f"gnatsd_varz_{name}", labels, 1.0)
    if "start" in varz:
        started = datetime.fromisoformat(varz["start"]).timestamp()
        yield _gauge("gnatsd_varz_start", {"server_id": server}, started * 1000)


def _numbers(page: Page, *path: str) -> Iterator[tuple[str, float]]:
    """All numbers of a page, by their paths."""
    for key, value in page.items():
        match value:
            case bool():
                pass
            case int() | float():
                yield re.sub(r"[^a-zA-Z0-9]+", "_", "_".join([*path, key])).strip("_"), value
            case dict():
                yield from _numbers(value, *path, key)


def _of_connz(connz: Page, server: str) -> Iterator[Metric]:
    labels = {"server_id": server}
    for name in ("num_connections", "total", "limit", "offset"):
        yield _gauge(f"gnatsd_connz_{name}", labels, connz.get(name, 0))
    connections = connz.get("connections") or []
    for name in CONNECTIONS:
        total = sum(one.get(name, 0) for one in connections)
        yield _gauge(f"gnatsd_connz_{name}", labels, total)


def _of_jsz(jsz: Page, varz: Page) -> Iterator[Metric]:
    config, name = jsz.get("config") or {}, str(varz.get("server_name", ""))
    cluster = jsz.get("meta_cluster") or {}
    leader = str(cluster.get("leader", ""))
    server = {
        "server_id": name,
        "server_name": name,
        "cluster": str(cluster.get("name", "")),
        "domain": str(config.get("domain", "")),
        "meta_leader": leader,
        "is_meta_leader": _leads(name, cluster),
    }
    totals = {
        "jetstream_disabled": float(bool(jsz.get("disabled"))),
        "total_streams": jsz.get("streams", 0),
        "total_consumers": jsz.get("consumers", 0),
        "total_messages": jsz.get("messages", 0),
        "total_message_bytes": jsz.get("bytes", 0),
        "max_memory": config.get("max_memory", 0),
        "max_storage": config.get("max_storage", 0),
    }
    for total, value in totals.items():
        yield _gauge(f"jetstream_server_{total}", server, value)
    streams = [
        (account.get("name", ""), stream)
        for account in jsz.get("account_details") or []
        for stream in account.get("stream_detail") or []
    ]
    yield from _of_streams(streams, server)


def _of_streams(streams: list[tuple[str, Page]], server: Mapping[str, str]) -> Iterator[Metric]:
    values = [(_stream_labels(account, one, server), _of_stream(one)) for account, one in streams]
    for name in values[0][1] if values else ():
        family = GaugeMetricFamily(
            f"jetstream_stream_{name}", _help(name), labels=list(values[0][0])
        )
        for labels, of_stream in values:
            family.add_metric(list(labels.values()), of_stream[name])
        yield family


def _stream_labels(account: str, stream: Page, server: Mapping[str, str]) -> dict[str, str]:
    cluster = stream.get("cluster") or {}
    return {
        **server,
        "account": account,
        "stream_name": str(stream.get("name", "")),
        "stream_leader": str(cluster.get("leader", "")),
        "is_stream_leader": _leads(server["server_name"], cluster),
    }


def _of_stream(stream: Page) -> dict[str, float]:
    state, config = stream.get("state") or {}, stream.get("config") or {}
    return {
        "total_messages": state.get("messages", 0),
        "total_bytes": state.get("bytes", 0),
        "first_seq": state.get("first_seq", 0),
        "last_seq": state.get("last_seq", 0),
        "consumer_count": state.get("consumer_count", 0),
        "subject_count": state.get("num_subjects", 0),
        "limit_bytes": config.get("max_bytes", -1),
        "limit_messages": config.get("max_msgs", -1),
    }


def _leads(name: str, cluster: Page) -> str:
    """Whether a server leads; one that is alone does."""
    return str(not cluster or cluster.get("leader") == name).lower()


def _gauge(name: str, labels: Mapping[str, str], value: float) -> Metric:
    family = GaugeMetricFamily(name, _help(name), labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family


def _help(name: str) -> str:
    """NATS's own word for it: its documentation says what it means."""
    return name.split("_", 2)[-1]
