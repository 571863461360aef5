"""A NATS server's pages as metrics, by the names of the official exporter."""

from collections.abc import Iterable

from prometheus_client.metrics_core import Metric

from parley_cli import nats_metrics
from parley_cli.nats_metrics import Reading


def values(metrics: Iterable[Metric], *labels: str) -> dict[str, float]:
    """The samples, by their names and the values of some labels."""
    return {
        " ".join([one.name, *(one.labels[label] for label in labels if label in one.labels)]): (
            one.value
        )
        for metric in metrics
        for one in metric.samples
    }


def test_each_number_of_varz_is_a_gauge_with_its_path_for_a_name() -> None:
    varz = {
        "server_name": "n1",
        "version": "2.14.6",
        "start": "2026-01-01T00:00:00.123456789Z",
        "in_msgs": 7,
        "auth_required": True,
        "connect_urls": ["a"],
        "jetstream": {"config": {"max_storage": 1024}, "stats": {"api": {"errors": 2}}},
        "http_req_stats": {"/varz": 3},
    }
    found = values(nats_metrics.metrics(Reading(varz=varz), "n1"), "value")
    varz_only = {name: value for name, value in found.items() if "varz" in name}
    assert varz_only == {
        "gnatsd_varz_in_msgs": 7,
        "gnatsd_varz_jetstream_config_max_storage": 1024,
        "gnatsd_varz_jetstream_stats_api_errors": 2,
        "gnatsd_varz_http_req_stats_varz": 3,
        "gnatsd_varz_version 2.14.6": 1,
        "gnatsd_varz_server_name n1": 1,
        "gnatsd_varz_start": 1767225600123.456,
    }


def test_connections_are_summed_and_have_no_series_of_their_own() -> None:
    connections = [{"pending_bytes": 10, "in_msgs": 1}, {"pending_bytes": 5, "out_bytes": 9}]
    connz = {"num_connections": 2, "total": 2, "connections": connections}
    found = nats_metrics.metrics(Reading(connz=connz), "n1")
    samples = [one for metric in found for one in metric.samples if "connz" in one.name]
    assert all(set(one.labels) == {"server_id"} for one in samples)
    got = {one.name.removeprefix("gnatsd_connz_"): one.value for one in samples}
    assert (got["num_connections"], got["pending_bytes"], got["in_msgs"]) == (2, 15, 1)
    assert (got["out_bytes"], got["subscriptions"]) == (9, 0)


def test_only_the_leader_of_a_stream_says_that_it_is() -> None:
    def stream(name: str, leader: str) -> dict[str, object]:
        state = {"messages": 3, "bytes": 300, "last_seq": 9}
        cluster = {"leader": leader}
        return {"name": name, "cluster": cluster, "state": state, "config": {"max_bytes": 1000}}

    details = [{"name": "PARLEY", "stream_detail": [stream("MINE", "n1"), stream("HIS", "n2")]}]
    meta = {"name": "parley", "leader": "n2"}
    jsz = {"streams": 2, "meta_cluster": meta, "account_details": details}
    reading = Reading(varz={"server_name": "n1"}, jsz=jsz)
    found = values(
        nats_metrics.metrics(reading, "n1"), "stream_name", "account", "is_stream_leader"
    )
    assert found["jetstream_stream_total_bytes MINE PARLEY true"] == 300
    assert found["jetstream_stream_total_bytes HIS PARLEY false"] == 300
    assert found["jetstream_stream_limit_bytes MINE PARLEY true"] == 1000
    assert found["jetstream_stream_limit_messages MINE PARLEY true"] == -1
    assert found["jetstream_server_total_streams"] == 2


def test_health_is_zero_where_the_server_is_well() -> None:
    well = values(nats_metrics.metrics(Reading(healthz={"status": "ok"}), "n1"), "value")
    ill = values(nats_metrics.metrics(Reading(healthz={"status": "unavailable"}), "n1"), "value")
    assert (well["gnatsd_healthz_status"], well["gnatsd_healthz_status_value ok"]) == (0, 1)
    assert (ill["gnatsd_healthz_status"], ill["gnatsd_healthz_status_value unavailable"]) == (1, 0)


def test_of_a_server_that_does_not_answer_nothing_old_is_told() -> None:
    found = values(nats_metrics.unreachable("n1"), "server_id", "value")
    assert found == {"gnatsd_healthz_status_value n1 unreachable": 0}
