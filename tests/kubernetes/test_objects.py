"""Every object is one that the API server takes, and what it refers to is there."""

import pytest

from support import kube_schemas
from support.manifests import OVERLAYS, SERVICES, STAGES, Object, Pod, matches, rendered

NATS = {
    "app.kubernetes.io/name": "nats",
    "app.kubernetes.io/component": "nats",
    "app.kubernetes.io/instance": "nats",
}
"""The labels of the NATS pods: they come with the chart. test_nats.py compares."""
SOLVER = {"acme.cert-manager.io/http01-solver": "true"}
"""Pods that cert-manager makes."""
ELSEWHERE = {
    "small": {f"parley-nats-{one}" for one in SERVICES},
    "production": {f"parley-nats-{one}" for one in SERVICES}
    | {f"parley-{one}-keys" for one in STAGES}
    | {"parley-gateway", "nats-client-tls"},
}
"""Secrets that are made by hand, or by cert-manager: docs/kubernetes.md."""

pytestmark = pytest.mark.parametrize("overlay", OVERLAYS)


def test_every_object_fits_its_schema(overlay: str) -> None:
    faults = [fault for one in rendered(overlay).objects for fault in kube_schemas.faults(one)]
    assert not faults


def test_no_object_is_there_twice_and_all_are_in_the_namespace(overlay: str) -> None:
    objects = rendered(overlay).objects
    names = [(one["kind"], one["metadata"]["name"]) for one in objects]
    assert len(names) == len(set(names))
    assert {one["metadata"].get("namespace") for one in objects if one["kind"] != "Namespace"} == {
        "parley"
    }


def test_no_secret_is_in_the_repository(overlay: str) -> None:
    assert not rendered(overlay).of("Secret")


def test_workloads_select_their_own_pods_and_no_others(overlay: str) -> None:
    manifests = rendered(overlay)
    for one in manifests.of("Deployment"):
        (pod,) = manifests.matching(one["spec"]["selector"])
        assert pod.name == f"Deployment/{one['metadata']['name']}"


def test_services_and_ingresses_lead_to_a_port_that_is_there(overlay: str) -> None:
    manifests = rendered(overlay)
    for service in manifests.of("Service"):
        (pod,) = manifests.matching(service["spec"]["selector"])
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= set(pod.ports())
    for ingress in manifests.of("Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                to = path["backend"]["service"]
                ports = manifests.get("Service", to["name"])["spec"]["ports"]
                assert to["port"]["name"] in {port["name"] for port in ports}


def test_every_service_has_one_disruption_budget_that_lets_a_node_go(overlay: str) -> None:
    manifests = rendered(overlay)
    guarded = []
    for budget in manifests.of("PodDisruptionBudget"):
        (pod,) = manifests.matching(budget["spec"]["selector"])
        guarded.append(pod.name)
        assert budget["spec"]["maxUnavailable"] == 1
        # With NATS away no pod is ready, and the budget would let none go.
        assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert sorted(guarded) == sorted(f"Deployment/parley-{one}" for one in SERVICES)


def test_every_pod_is_scraped_once(overlay: str) -> None:
    manifests = rendered(overlay)
    scraped = []
    for monitor in manifests.of("PodMonitor"):
        (end,) = monitor["spec"]["podMetricsEndpoints"]
        for pod in manifests.matching(monitor["spec"]["selector"]):
            scraped.append(pod.name)
            assert end["port"] in pod.ports()
    every = [] if overlay == "small" else [pod.name for pod in manifests.pods()]
    assert sorted(scraped) == sorted(every)


def test_network_policies_mean_pods_that_are_there(overlay: str) -> None:
    manifests = rendered(overlay)
    labels = [NATS, SOLVER, *(pod.labels for pod in manifests.pods())]
    for policy in manifests.of("NetworkPolicy"):
        rules = policy["spec"].get("ingress", []) + policy["spec"].get("egress", [])
        peers = [peer for rule in rules for side in ("from", "to") for peer in rule.get(side, [])]
        selectors = [policy["spec"]["podSelector"]]
        selectors += [peer["podSelector"] for peer in peers if "podSelector" in peer]
        for selector in selectors:
            assert any(matches(selector, one) for one in labels), (policy, selector)


def test_what_pods_refer_to_is_there(overlay: str) -> None:
    manifests = rendered(overlay)
    secrets = set()
    for pod in manifests.pods():
        assert pod.spec["serviceAccountName"] in manifests.names("ServiceAccount")
        for volume in pod.spec["volumes"]:
            if "configMap" in volume:
                assert volume["configMap"]["name"] in manifests.names("ConfigMap")
            if "persistentVolumeClaim" in volume:
                claim = volume["persistentVolumeClaim"]["claimName"]
                assert claim in manifests.names("PersistentVolumeClaim")
            if "secret" in volume:
                secrets.add(volume["secret"]["secretName"])
        for container in pod.containers:
            assert {one["name"] for one in container["volumeMounts"]} == {
                one["name"] for one in pod.spec["volumes"]
            }
            for source in container["envFrom"]:
                assert source["configMapRef"]["name"] in manifests.names("ConfigMap")
    assert secrets == ELSEWHERE[overlay.partition("-")[0]]


def test_autoscalers_have_a_target_each_and_nobody_else_sets_its_size(overlay: str) -> None:
    manifests = rendered(overlay)
    scalers = manifests.of("HorizontalPodAutoscaler", "ScaledObject")
    targets = [one["spec"]["scaleTargetRef"]["name"] for one in scalers]
    wanted = [] if overlay == "small" else [f"parley-{one}" for one in SERVICES]
    assert sorted(targets) == sorted(wanted)
    for deployment in manifests.of("Deployment"):
        assert "replicas" not in deployment["spec"]


def test_every_pod_asks_for_what_it_needs(overlay: str) -> None:
    for pod in rendered(overlay).pods():
        resources = pod.container["resources"]
        assert resources["requests"]["memory"] == resources["limits"]["memory"]
        assert "cpu" in resources["requests"]
        # A limit on the processor stops playout for the rest of each 100 ms.
        assert "cpu" not in resources["limits"]


def test_images_have_a_version(overlay: str) -> None:
    for pod in rendered(overlay).pods():
        name, _, tag = pod.container["image"].rpartition(":")
        assert name.endswith(pod.name.removeprefix("Deployment/"))
        assert tag not in ("", "latest")


def test_the_probes_ask_what_services_answer(overlay: str) -> None:
    for pod in rendered(overlay).pods():
        assert _probes(pod) == {
            "startupProbe": "/healthz",
            "livenessProbe": "/healthz",
            "readinessProbe": "/readyz",
        }


def _probes(pod: Pod) -> dict[str, str]:
    probes: Object = {name: one for name, one in pod.container.items() if name.endswith("Probe")}
    assert {one["httpGet"]["port"] for one in probes.values()} <= set(pod.ports())
    return {name: one["httpGet"]["path"] for name, one in probes.items()}
