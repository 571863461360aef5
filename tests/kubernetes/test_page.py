"""What docs/kubernetes.md tells people to do, as far as it can be done without a cluster."""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from support import kube_schemas, kube_tools
from support.manifests import FOLDER, SERVICES, STAGES, Manifests, rendered

ROOT = FOLDER.parents[1]
TEXT = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
ELSEWHERE = {f"parley-nats-{one}" for one in SERVICES} | {"nats-client-tls"}
"""Secrets that secrets.sh and cert-manager make: test_nats.py."""
CONFIG_MAP_BYTES = 1 << 20
"""More the API server does not take."""


def _commands(beginning: str) -> list[list[str]]:
    """The commands on the page that begin so, as words, without what they are piped into."""
    lines = "\n".join(BLOCKS).replace("\\\n", " ").replace("|\n", "| ").splitlines()
    found = [shlex.split(one.partition(" | ")[0], comments=True) for one in lines]
    wanted = beginning.split()
    return [one for one in found if one[: len(wanted)] == wanted]


def test_what_the_page_names_is_there() -> None:
    paths = re.findall(r"\bdeploy/[\w./-]*\w", TEXT)
    short = re.findall(r"`((?:overlays|components|base)/[\w./-]*\w)", TEXT)
    assert len(paths) > 10
    assert short
    for path in paths:
        assert (ROOT / path).exists(), path
    for path in short:
        assert (FOLDER / path).exists(), path


@pytest.mark.parametrize("overlay", ["production-hpa", "production-keda"])
def test_the_page_makes_the_secrets_that_pods_mount(overlay: str) -> None:
    manifests = rendered(overlay)
    mounted = {
        volume["secret"]["secretName"]
        for pod in manifests.pods()
        for volume in pod.spec["volumes"]
        if "secret" in volume
    }
    assert set(_secrets()) == mounted - ELSEWHERE


def test_the_secrets_have_the_files_that_services_read() -> None:
    manifests = rendered("production-hpa")
    environment = manifests.environment("gateway")
    (agents,) = (one for one in manifests.names("ConfigMap") if one.startswith("parley-agents"))
    profile = manifests.get("ConfigMap", agents)["data"]["agents.yaml"]
    read = {
        "parley-gateway": {
            Path(environment[f"PARLEY_{one}"]).name for one in ("KEYS", "SIGNING_SECRET_FILE")
        }
    }
    named = re.findall(r"file:/run/secrets/parley/([\w-]+)", profile)
    assert len(named) == len(STAGES)
    for stage, key in zip(STAGES, named, strict=True):
        read[f"parley-{stage}-keys"] = {key}
    assert _secrets() == read


def _secrets() -> dict[str, set[str]]:
    """The files in each Secret that the page makes."""
    made = {}
    for words in _commands("kubectl -n parley create secret generic"):
        files = [one.removeprefix("--from-file=") for one in words if "--from-file=" in one]
        made[words[6]] = {one.partition("=")[0] for one in files}
    return made


def test_the_labels_on_the_page_are_those_of_the_policies() -> None:
    policies = rendered("production-hpa+traces").of("NetworkPolicy")
    assert set(re.findall(r"parley-\w+=allowed", TEXT)) == {
        f"{name}=allowed" for name in re.findall(r"'(parley-\w+)': 'allowed'", str(policies))
    }


def test_the_dashboards_come_into_a_config_map() -> None:
    kubectl = kube_tools.needed("kubectl")
    (block,) = (one for one in BLOCKS if "parley-dashboards" in one)
    piped = block.replace("\\\n", " ").replace("|\n", "| ").strip()
    made, _, sent = piped.rpartition("|")
    assert sent.split() == ["kubectl", "apply", "--server-side", "-f", "-"]
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {made}".replace("MONITORING", "monitoring")],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PATH": f"{kubectl.parent}{os.pathsep}{os.environ['PATH']}"},
    )
    assert done.returncode == 0, done.stderr
    (boards,) = Manifests(done.stdout).objects
    assert not kube_schemas.faults(boards)
    assert boards["metadata"]["labels"] == {"grafana_dashboard": "1"}
    assert len(boards["data"]) == len(list((FOLDER.parent / "grafana" / "dashboards").iterdir()))
    assert all(json.loads(one)["uid"] for one in boards["data"].values())
    assert len(json.dumps(boards)) < CONFIG_MAP_BYTES


def test_a_manifest_is_never_applied_that_its_note_would_burst() -> None:
    """Without --server-side, kubectl writes the whole object into an annotation of 256 KiB."""
    for overlay in ("small", "production-hpa", "production-keda"):
        for one in rendered(overlay).objects:
            assert len(json.dumps(one)) < 200_000, one["metadata"]["name"]
