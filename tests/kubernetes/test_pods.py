"""What pods are told and allowed: settings that exist, a drain that fits, no privilege."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from parley import profiles
from parley.config import WorkerConfig
from parley.subjects import Stage
from parley_agent.embedded.llama_config import LlamaConfig
from parley_gateway.app import HANG_UP_SECONDS
from parley_gateway.config import GatewayConfig
from parley_gateway.main import FLUSH_SECONDS
from support.manifests import FOLDER, OVERLAYS, SERVICES, STAGES, Pod, rendered

SETTINGS: Mapping[str, tuple[type[BaseSettings], ...]] = {
    "gateway": (GatewayConfig,),
    "stt": (WorkerConfig,),
    "agent": (WorkerConfig, LlamaConfig),
    "tts": (WorkerConfig,),
}
SHARED = set(GatewayConfig.model_fields) | set(WorkerConfig.model_fields)
SPARE_SECONDS = 5.0
"""What an exit needs besides."""

overlays = pytest.mark.parametrize("overlay", OVERLAYS)
services = pytest.mark.parametrize("service", SERVICES)


@overlays
@services
def test_every_variable_is_a_setting_and_its_value_is_taken(
    overlay: str, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = rendered(overlay).environment(service)
    own = {name.lower() for kind in SETTINGS[service] for name in kind.model_fields}
    for name, value in environment.items():
        setting = name.removeprefix("PARLEY_").lower()
        # What all services are told may be meant for some of them.
        assert setting in own | SHARED, name
        monkeypatch.setenv(name, value)
    for kind in SETTINGS[service]:
        kind()


@overlays
@services
def test_the_port_that_is_listened_on_is_the_one_declared(overlay: str, service: str) -> None:
    manifests = rendered(overlay)
    environment = manifests.environment(service)
    ports = manifests.pod(service).ports()
    assert ports["http"] == int(environment["PARLEY_PORT"])
    assert ports.get("metrics", 9090) == int(environment.get("PARLEY_MANAGEMENT_PORT", "9090"))
    assert ("metrics" in ports) == ("PARLEY_MANAGEMENT_PORT" in environment)
    assert environment["PARLEY_HOST"] == "0.0.0.0"


@overlays
@services
def test_a_pod_may_take_as_long_to_drain_as_its_service_does(overlay: str, service: str) -> None:
    manifests = rendered(overlay)
    pod = manifests.pod(service)
    pre_stop = pod.container.get("lifecycle", {}).get("preStop", {}).get("sleep", {})
    needs = pre_stop.get("seconds", 0) + float(
        manifests.environment(service)["PARLEY_DRAIN_SECONDS"]
    )
    if service == "gateway":
        needs += HANG_UP_SECONDS + FLUSH_SECONDS
    assert pod.spec["terminationGracePeriodSeconds"] >= needs + SPARE_SECONDS


@overlays
def test_callers_are_sent_elsewhere_before_a_gateway_refuses_them(overlay: str) -> None:
    pod = rendered(overlay).pod("gateway")
    assert pod.container["lifecycle"]["preStop"]["sleep"]["seconds"] >= 5


@overlays
def test_a_rollout_starts_the_next_before_it_stops_the_last(overlay: str) -> None:
    for one in rendered(overlay).of("Deployment"):
        assert one["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


@overlays
def test_pods_are_as_the_restricted_standard_wants_them(overlay: str) -> None:
    manifests = rendered(overlay)
    labels = manifests.get("Namespace", "parley")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    for pod in manifests.pods():
        assert_restricted(pod)
        assert pod.spec["automountServiceAccountToken"] is False
    for account in manifests.of("ServiceAccount"):
        assert account["automountServiceAccountToken"] is False


def assert_restricted(pod: Pod) -> None:
    context = pod.spec["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] > 0
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not pod.spec.get("hostNetwork")
    assert not pod.spec.get("hostPID")
    for volume in pod.spec["volumes"]:
        assert not volume.keys() - {
            "name",
            "configMap",
            "secret",
            "emptyDir",
            "persistentVolumeClaim",
        }
    for container in pod.containers:
        own = container["securityContext"]
        assert own["allowPrivilegeEscalation"] is False
        assert own["readOnlyRootFilesystem"] is True
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert "hostPort" not in str(container.get("ports", ""))


@overlays
def test_a_service_of_the_name_parley_sets_nothing_in_pods(overlay: str) -> None:
    assert all(pod.spec["enableServiceLinks"] is False for pod in rendered(overlay).pods())


@overlays
@services
def test_a_service_sees_its_own_secrets_only(overlay: str, service: str) -> None:
    pod = rendered(overlay).pod(service)
    names = {one["secret"]["secretName"] for one in pod.spec["volumes"] if "secret" in one}
    others = [other for other in SERVICES if other != service]
    assert f"parley-nats-{service}" in names
    assert not [name for name in names for other in others if other in name.split("-")]


@overlays
def test_pods_of_a_service_are_spread_by_themselves(overlay: str) -> None:
    for pod in rendered(overlay).pods():
        rules = pod.spec["topologySpreadConstraints"]
        assert [one["topologyKey"] for one in rules] == [
            "topology.kubernetes.io/zone",
            "kubernetes.io/hostname",
        ]
        for one in rules:
            assert "app.kubernetes.io/component" in one["matchLabelKeys"]
            assert one["labelSelector"]["matchLabels"].items() <= pod.labels.items()


@overlays
def test_the_agents_are_understood_and_their_keys_are_where_they_say(
    overlay: str, tmp_path: Path
) -> None:
    manifests = rendered(overlay)
    (name,) = (one for one in manifests.names("ConfigMap") if one.startswith("parley-agents"))
    file = tmp_path / "agents.yaml"
    file.write_text(manifests.get("ConfigMap", name)["data"]["agents.yaml"])
    (profile,) = profiles.load(file).agents.values()
    for stage in STAGES:
        for choice in profile.candidates(Stage(stage)):
            place = str(choice.settings.get("apiKey", ""))
            assert place == "" or _mounted(manifests.pod(stage), place.removeprefix("file:"))
        loaded = manifests.environment(stage).get("PARLEY_WARM", choice.provider)
        assert choice.provider == loaded, "a first call would wait for its provider's SDK"


def _mounted(pod: Pod, path: str) -> bool:
    return any(path.startswith(one["mountPath"] + "/") for one in pod.container["volumeMounts"])


def test_small_is_the_embedded_engines_and_needs_no_key() -> None:
    for stage in STAGES:
        assert "keys" not in [one["name"] for one in rendered("small").pod(stage).spec["volumes"]]


def test_nothing_here_names_a_secret_value() -> None:
    for file in FOLDER.rglob("*"):
        if file.is_file():
            assert "BEGIN " not in file.read_text()
            assert "kind: Secret" not in file.read_text()
