"""NATS by its official chart, with our values."""

import asyncio
import contextlib
import os
import re
import subprocess
from pathlib import Path

import nats
import pytest
import yaml
from nats.errors import NoServersError

from parley_cli import nats_keys
from support import kube_schemas, kube_tools, nats_chart
from support.manifests import FOLDER, SERVICES, Manifests, rendered
from support.nats_chart import ACCOUNTS, VALUES, Member

OURS = {"nats-accounts": "accounts", "nats-keys": "keys"}


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """The folder that `parley nats-keys` fills."""
    folder = tmp_path / "keys"
    nats_keys.write(folder)
    return folder


# --- Without the chart


def test_certificates_have_the_names_by_which_nats_is_called() -> None:
    manifests = rendered("production-hpa")
    names = manifests.get("Certificate", "nats-server")["spec"]["dnsNames"]
    urls = manifests.environment("stt")["PARLEY_NATS_URL"].split(",")
    assert len(urls) == 3
    assert {re.fullmatch(r"tls://([\w.-]+):4222", url)[1] for url in urls} <= set(names)  # type: ignore[index]
    # Operators come by `kubectl port-forward`.
    assert "localhost" in names
    assert not [name for name in names if "*" in name]


def test_certificates_come_into_the_secrets_that_are_mounted() -> None:
    manifests = rendered("production-hpa")
    made = {one["spec"]["secretName"] for one in manifests.of("Certificate")}
    tls = yaml.safe_load((FOLDER / "nats" / "tls.yaml").read_text())
    wanted = {
        tls["tlsCA"]["secretName"],
        tls["config"]["nats"]["tls"]["secretName"],
        tls["config"]["cluster"]["tls"]["secretName"],
        "nats-client-tls",
    }
    assert wanted <= made
    assert manifests.environment("tts")["PARLEY_NATS_CA"] == "/run/secrets/nats-tls/ca.crt"


def test_secrets_sh_makes_what_the_pods_mount(keys: Path) -> None:
    made = _secrets(keys)
    assert made.names("Secret") == {f"parley-nats-{one}" for one in SERVICES}
    assert all(set(one["data"]) == {"seed"} for one in made.of("Secret"))
    assert set(made.get("ConfigMap", "nats-keys")["data"]) == {"keys.conf"}
    assert {one["metadata"]["namespace"] for one in made.objects} == {"parley"}
    seed = rendered("small").environment("stt")["PARLEY_NATS_SEED_FILE"]
    (mount,) = (
        one
        for one in rendered("small").pod("stt").container["volumeMounts"]
        if one["name"] == "nats"
    )
    assert seed == f"{mount['mountPath']}/seed"


def test_secrets_sh_can_give_services_a_new_key_before_nats_hears_of_it(keys: Path) -> None:
    before = _secrets(keys)
    nats_keys.write(keys, ["tts"])
    after = _secrets(keys, "seeds")
    assert not after.of("ConfigMap")
    changed = [one for one in after.objects if one not in before.objects]
    assert [one["metadata"]["name"] for one in changed] == ["parley-nats-tts"]


def test_secrets_sh_makes_nothing_of_a_folder_without_keys(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="seed"):
        _secrets(tmp_path)


def _secrets(*arguments: str | Path) -> Manifests:
    """What secrets.sh prints."""
    kubectl = kube_tools.needed("kubectl")
    done = subprocess.run(
        [FOLDER / "secrets.sh", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": f"{kubectl.parent}{os.pathsep}{os.environ['PATH']}"},
    )
    assert done.returncode == 0, done.stderr
    return Manifests(done.stdout)


def test_the_accounts_arrive_as_they_are() -> None:
    data = rendered("small").get("ConfigMap", "nats-accounts")["data"]
    assert data == {"accounts.conf": ACCOUNTS.read_text()}


# --- With it


@pytest.mark.parametrize("kind", VALUES)
def test_the_chart_makes_valid_objects_of_our_values(kind: str) -> None:
    manifests = nats_chart.objects(kind)
    assert not [fault for one in manifests.objects for fault in kube_schemas.faults(one)]


@pytest.mark.parametrize("kind", VALUES)
def test_nats_pods_are_as_locked_down_as_ours(kind: str) -> None:
    (pod,) = nats_chart.objects(kind).pods()
    context = pod.spec["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] == context["fsGroup"] == 1000
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod.spec["automountServiceAccountToken"] is False
    assert len(pod.containers) == 3
    for container in pod.containers:
        own = container["securityContext"]
        assert own["allowPrivilegeEscalation"] is False
        assert own["readOnlyRootFilesystem"] is True
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert {"requests", "limits"} == set(container["resources"])


@pytest.mark.parametrize("kind", VALUES)
def test_the_network_policies_know_the_pods_and_their_ports(kind: str) -> None:
    manifests, ours = nats_chart.objects(kind), rendered("small")
    policy = ours.get("NetworkPolicy", "nats")["spec"]
    (pod,) = manifests.matching(policy["podSelector"])
    ports = {port["port"] for rule in policy["ingress"] for port in rule["ports"]}
    assert {4222, 7777} <= set(pod.ports().values())
    assert ports - set(pod.ports().values()) <= ({6222} if kind == "small" else set())
    assert set(pod.ports().values()) - ports == {8222}


@pytest.mark.parametrize("kind", ["production", "plain"])
def test_one_member_at_a_time_may_go(kind: str) -> None:
    manifests = nats_chart.objects(kind)
    (budget,) = manifests.of("PodDisruptionBudget")
    assert budget["spec"]["maxUnavailable"] == 1
    assert len(manifests.matching(budget["spec"]["selector"])) == 1
    assert manifests.get("StatefulSet", "nats")["spec"]["replicas"] == 3
    (monitor,) = manifests.of("PodMonitor")
    assert len(manifests.matching(monitor["spec"]["selector"])) == 1


@pytest.mark.parametrize("kind", VALUES)
def test_what_the_chart_mounts_is_what_our_overlays_bring(kind: str) -> None:
    manifests = nats_chart.objects(kind)
    (pod,) = manifests.pods()
    maps = {one["configMap"]["name"] for one in pod.spec["volumes"] if "configMap" in one}
    assert maps == {"nats-config", *OURS}
    server, reloader, _ = pod.containers
    for container in (server, reloader):
        mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
        assert mounts["accounts"] == "/etc/nats-accounts/config"
        assert mounts["keys"] == "/etc/nats-accounts/keys"
    # What is watched for changes: the keys too, which only the accounts name.
    assert "/etc/nats-accounts/keys/keys.conf" in reloader["args"]
    assert "/etc/nats-accounts/config/accounts.conf" in reloader["args"]


async def test_a_server_so_configured_knows_who_logs_in(tmp_path: Path, keys: Path) -> None:
    member = Member()
    command = nats_chart.configure("small", tmp_path, keys, [member])
    url = f"nats://127.0.0.1:{member.client}"
    with nats_chart.running(command, "nats-0", tmp_path / "log"):
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(OSError, NoServersError):
                    seed = str(keys / "stt" / "seed")
                    stt = await nats.connect(url, nkeys_seed=seed, allow_reconnect=False)
                    break
                await asyncio.sleep(0.05)
        assert stt.is_connected
        await stt.close()
        with pytest.raises(nats.errors.Error):
            await nats.connect(url, allow_reconnect=False)


@pytest.mark.parametrize("kind", VALUES)
def test_a_server_takes_the_configuration(kind: str, tmp_path: Path, keys: Path) -> None:
    nats_chart.certificates(tmp_path / "tls")
    members = [Member() for _ in range(3)]
    command = nats_chart.configure(kind, tmp_path / "nats-0", keys, members)
    env = {**os.environ, "SERVER_NAME": "nats-0"}
    done = subprocess.run([*command, "-t"], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
