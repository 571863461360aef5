"""Who may talk to whom."""

import itertools

import pytest

from support.manifests import OVERLAYS, SERVICES, STAGES, Manifests, rendered
from support.network_policies import Place, allowed

NATS = Place(
    {"app.kubernetes.io/name": "nats"},
    {"nats": 4222, "cluster": 6222, "monitor": 8222, "prom-metrics": 7777},
)
CALLERS = Place(namespace={"kubernetes.io/metadata.name": "ingress", "parley-callers": "allowed"})
PROMETHEUS = Place(namespace={"kubernetes.io/metadata.name": "m", "parley-metrics": "allowed"})
NEIGHBOUR = Place(namespace={"kubernetes.io/metadata.name": "somebody"})
DNS = Place(namespace={"kubernetes.io/metadata.name": "kube-system"})
NODE_DNS = Place(address="169.254.20.10")
COLLECTOR = Place(namespace={"kubernetes.io/metadata.name": "o", "parley-traces": "allowed"})
SOLVER = Place({"acme.cert-manager.io/http01-solver": "true"})
STRANGER = Place({"app": "debug"})
PROVIDER = Place(address="93.184.216.34")
INSIDE = [Place(address=one) for one in ("10.1.2.3", "169.254.169.254", "192.168.1.1", "fd00::1")]
METRICS = {"gateway": 9090, "stt": 8080, "agent": 8080, "tts": 8080}

pytestmark = pytest.mark.parametrize("overlay", OVERLAYS)


def _places(manifests: Manifests) -> dict[str, Place]:
    return {one: Place(pod.labels, pod.ports()) for one in SERVICES if (pod := manifests.pod(one))}


def test_services_talk_through_nats_and_to_nobody_else(overlay: str) -> None:
    manifests = rendered(overlay)
    places = _places(manifests)
    for service in places.values():
        assert allowed(manifests, service, NATS, 4222)
        assert not any(allowed(manifests, service, NATS, port) for port in (6222, 8222, 7777))
    for one, other in itertools.permutations(places, 2):
        for port in (8080, 9090):
            assert not allowed(manifests, places[one], places[other], port)


def test_callers_reach_gateways_only_and_not_their_metrics(overlay: str) -> None:
    manifests = rendered(overlay)
    for service, place in _places(manifests).items():
        assert allowed(manifests, CALLERS, place, 8080) == (service == "gateway")
        assert not allowed(manifests, CALLERS, place, 9090)
    assert not allowed(manifests, CALLERS, NATS, 4222)


def test_prometheus_reads_metrics_and_calls_nobody(overlay: str) -> None:
    manifests = rendered(overlay)
    for service, place in _places(manifests).items():
        ports = [one for one in (8080, 9090) if allowed(manifests, PROMETHEUS, place, one)]
        assert ports == [METRICS[service]]
    assert allowed(manifests, PROMETHEUS, NATS, 7777)
    assert not allowed(manifests, PROMETHEUS, NATS, 4222)


@pytest.mark.parametrize("who", [NEIGHBOUR, STRANGER, PROVIDER], ids=["pod", "stranger", "world"])
def test_nobody_else_gets_in(overlay: str, who: Place) -> None:
    manifests = rendered(overlay)
    for place in (NATS, *_places(manifests).values()):
        for port in (4222, 6222, 7777, 8080, 8222, 9090):
            assert not allowed(manifests, who, place, port)


def test_only_workers_with_providers_in_the_cloud_get_out(overlay: str) -> None:
    manifests = rendered(overlay)
    for service, place in _places(manifests).items():
        assert allowed(manifests, place, PROVIDER, 443) == (
            overlay != "small" and service in STAGES
        )
        assert not allowed(manifests, place, PROVIDER, 80)
        assert not any(allowed(manifests, place, one, 443) for one in INSIDE)
        assert allowed(manifests, place, DNS, 53)
        assert allowed(manifests, place, NODE_DNS, 53)
        assert not allowed(manifests, place, NODE_DNS, 80)
    assert not allowed(manifests, NATS, PROVIDER, 443)


def test_members_of_nats_find_each_other(overlay: str) -> None:
    manifests = rendered(overlay)
    assert allowed(manifests, NATS, NATS, 6222)
    assert allowed(manifests, NATS, DNS, 53)


def test_spans_reach_a_collector_where_traces_are_on(overlay: str) -> None:
    manifests = rendered(overlay)
    for service, place in _places(manifests).items():
        traced = "traces" in overlay and service != "stt"
        assert allowed(manifests, place, COLLECTOR, 4318) == traced
        assert not any(allowed(manifests, place, COLLECTOR, port) for port in (443, 4317))
        assert not allowed(manifests, place, NEIGHBOUR, 4318)
        assert not allowed(manifests, COLLECTOR, place, 8080)


def test_who_proves_the_host_for_a_certificate_is_reached_as_callers_are(overlay: str) -> None:
    manifests = rendered(overlay)
    assert allowed(manifests, CALLERS, SOLVER, 8089) == (overlay != "small")
    for who in (NEIGHBOUR, STRANGER, PROVIDER, PROMETHEUS):
        assert not allowed(manifests, who, SOLVER, 8089)
    assert not allowed(manifests, SOLVER, NATS, 4222)
