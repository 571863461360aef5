"""Rendered Kubernetes objects, and what they say of each other."""

import functools
import os
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from support import kube_tools

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
OVERLAYS = ("small", "production-hpa", "production-keda", "production-hpa+recordings+traces")
"""All overlays, and one with what can be had besides."""
STAGES = ("stt", "agent", "tts")
SERVICES = ("gateway", *STAGES)

Object = dict[str, Any]


class Manifests:
    """All objects of one rendering."""

    def __init__(self, text: str) -> None:
        self.objects: list[Object] = [one for one in yaml.safe_load_all(text) if one]

    def of(self, *kinds: str) -> list[Object]:
        """The objects of these kinds."""
        return [one for one in self.objects if one["kind"] in kinds]

    def names(self, kind: str) -> set[str]:
        """The names of all objects of a kind."""
        return {one["metadata"]["name"] for one in self.of(kind)}

    def get(self, kind: str, name: str) -> Object:
        """The object; KeyError where there is none, or more than one."""
        found = [one for one in self.of(kind) if one["metadata"]["name"] == name]
        if len(found) != 1:
            raise KeyError(f"{len(found)} objects {kind}/{name}")
        return found[0]

    def pods(self) -> list["Pod"]:
        """What each Deployment and StatefulSet makes."""
        return [Pod(one) for one in self.of("Deployment", "StatefulSet")]

    def pod(self, service: str) -> "Pod":
        """A service's pod."""
        return Pod(self.get("Deployment", f"parley-{service}"))

    def matching(self, selector: Object) -> list["Pod"]:
        """The pods that a selector means: a label selector, or a plain map of labels."""
        return [pod for pod in self.pods() if matches(selector, pod.labels)]

    def environment(self, service: str) -> dict[str, str]:
        """The variables of a service's container, as far as they are known beforehand."""
        container = self.pod(service).container
        found: dict[str, str] = {}
        for source in container.get("envFrom", []):
            found |= self.get("ConfigMap", source["configMapRef"]["name"])["data"]
        named = {one["name"]: one["value"] for one in container.get("env", []) if "value" in one}
        return found | named


class Pod:
    """What a workload makes."""

    def __init__(self, workload: Object) -> None:
        self.name = f"{workload['kind']}/{workload['metadata']['name']}"
        self.labels: dict[str, str] = workload["spec"]["template"]["metadata"]["labels"]
        self.spec: Object = workload["spec"]["template"]["spec"]

    @property
    def containers(self) -> list[Object]:
        """Its containers."""
        return list(self.spec["containers"])

    @property
    def container(self) -> Object:
        """Its only container."""
        (only,) = self.containers
        return only

    def ports(self) -> dict[str, int]:
        """Its ports, by name."""
        every = (port for one in self.containers for port in one.get("ports", []))
        return {port["name"]: port["containerPort"] for port in every}


def matches(selector: Object, labels: dict[str, str]) -> bool:
    """Whether a selector (matchLabels and matchExpressions, or labels alone) means these labels."""
    if "matchLabels" not in selector and "matchExpressions" not in selector:
        selector = {"matchLabels": selector}
    for rule in selector.get("matchExpressions", []):
        assert rule["operator"] == "In", rule
        if labels.get(rule["key"]) not in rule["values"]:
            return False
    wanted: dict[str, str] = selector.get("matchLabels", {})
    return wanted.items() <= labels.items()


@functools.cache
def rendered(overlay: str) -> Manifests:
    """An overlay as `kubectl apply -k` would send it, with components: OVERLAY+COMPONENT.

    Skips the test where kubectl is not.
    """
    name, *components = overlay.split("+")
    if not components:
        return kustomized(FOLDER / "overlays" / name)
    with tempfile.TemporaryDirectory() as made:
        content = {
            "namespace": "parley",
            "resources": [os.path.relpath(FOLDER / "overlays" / name, made)],
            "components": [
                os.path.relpath(FOLDER / "components" / one, made) for one in components
            ],
        }
        Path(made, "kustomization.yaml").write_text(yaml.safe_dump(content))
        return kustomized(Path(made))


def kustomized(folder: Path) -> Manifests:
    """What `kubectl kustomize` makes of a folder. Skips the test where kubectl is not."""
    command: list[str | Path] = [kube_tools.needed("kubectl"), "kustomize", folder]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Manifests(done.stdout)


def chart(folder: Path, values: Iterable[str]) -> Manifests:
    """The NATS chart in `folder` with our values."""
    options = [part for one in values for part in ("--values", str(FOLDER / "nats" / one))]
    helm: list[str | Path] = [
        kube_tools.needed("helm"),
        "template",
        "nats",
        folder,
        "--namespace",
        "parley",
    ]
    done = subprocess.run([*helm, *options], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Manifests(done.stdout)
