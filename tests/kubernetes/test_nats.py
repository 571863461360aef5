"""NATS by its official chart, with our values.

The chart is in no package registry: it is used where PARLEY_NATS_CHART names its folder, or where
`helm pull nats --untar` has put it into the user's cache.
"""

import asyncio
import contextlib
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import nats
import pytest
import yaml
from nats.errors import NoServersError

from parley_cli import nats_keys
from support import kube_schemas, kube_tools
from support.manifests import FOLDER, SERVICES, Manifests, chart, rendered
from support.nats import executable, free_port

CHART = Path(os.environ.get("PARLEY_NATS_CHART") or kube_tools.CACHE.with_name("nats-chart"))
ACCOUNTS = FOLDER.parent / "nats" / "accounts.conf"
VALUES = {
    "production": ["values.yaml", "tls.yaml"],
    "plain": ["values.yaml"],
    "small": ["values.yaml", "small.yaml"],
}
OURS = {"nats-accounts": "accounts", "nats-keys": "keys"}


def _chart(kind: str) -> Manifests:
    if not (CHART / "Chart.yaml").exists():
        pytest.skip(f"no NATS chart in {CHART}: `helm pull nats --untar`, or PARLEY_NATS_CHART")
    return chart(CHART, VALUES[kind])


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
    kubectl = kube_tools.needed("kubectl")
    path = f"{kubectl.parent}{os.pathsep}{os.environ['PATH']}"
    script = [FOLDER / "secrets.sh", keys]
    done = subprocess.run(script, capture_output=True, text=True, env={**os.environ, "PATH": path})
    assert done.returncode == 0, done.stderr
    made = Manifests(done.stdout)
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


def test_the_accounts_arrive_as_they_are() -> None:
    data = rendered("small").get("ConfigMap", "nats-accounts")["data"]
    assert data == {"accounts.conf": ACCOUNTS.read_text()}


# --- With it


@pytest.mark.parametrize("kind", VALUES)
def test_the_chart_makes_valid_objects_of_our_values(kind: str) -> None:
    manifests = _chart(kind)
    assert not [fault for one in manifests.objects for fault in kube_schemas.faults(one)]


@pytest.mark.parametrize("kind", VALUES)
def test_nats_pods_are_as_locked_down_as_ours(kind: str) -> None:
    (pod,) = _chart(kind).pods()
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
    manifests, ours = _chart(kind), rendered("small")
    policy = ours.get("NetworkPolicy", "nats")["spec"]
    (pod,) = manifests.matching(policy["podSelector"])
    ports = {port["port"] for rule in policy["ingress"] for port in rule["ports"]}
    assert {4222, 7777} <= set(pod.ports().values())
    assert ports - set(pod.ports().values()) <= ({6222} if kind == "small" else set())
    assert set(pod.ports().values()) - ports == {8222}


@pytest.mark.parametrize("kind", ["production", "plain"])
def test_one_member_at_a_time_may_go(kind: str) -> None:
    manifests = _chart(kind)
    (budget,) = manifests.of("PodDisruptionBudget")
    assert budget["spec"]["maxUnavailable"] == 1
    assert len(manifests.matching(budget["spec"]["selector"])) == 1
    assert manifests.get("StatefulSet", "nats")["spec"]["replicas"] == 3
    (monitor,) = manifests.of("PodMonitor")
    assert len(manifests.matching(monitor["spec"]["selector"])) == 1


@pytest.mark.parametrize("kind", VALUES)
def test_what_the_chart_mounts_is_what_our_overlays_bring(kind: str) -> None:
    manifests = _chart(kind)
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


@contextlib.contextmanager
def _server(kind: str, folder: Path, keys: Path) -> Iterator[int]:
    """A server with the configuration that the chart makes, and files where pods have them."""
    config = _chart(kind).get("ConfigMap", "nats-config")["data"]["nats.conf"]
    port, monitoring = free_port(), free_port()
    for place, path in {
        '"port": 4222': f'"host": "127.0.0.1", "port": {port}',
        '"http_port": 8222': f'"http": "127.0.0.1:{monitoring}"',
        '"/data"': f'"{folder / "data"}"',
        "/var/run/nats/nats.pid": str(folder / "nats.pid"),
    }.items():
        assert place in config
        config = config.replace(place, path)
    for name, text in {
        "nats-config/nats.conf": config,
        "nats-accounts/config/accounts.conf": ACCOUNTS.read_text(),
        "nats-accounts/keys/keys.conf": (keys / "nats" / "keys.conf").read_text(),
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    command = [executable(), "-c", str(folder / "nats-config" / "nats.conf")]
    log = (folder / "log").open("wb")
    server = subprocess.Popen(
        command, env={**os.environ, "SERVER_NAME": "nats-0"}, stdout=log, stderr=log
    )
    try:
        yield port
    finally:
        server.kill()
        server.wait()
        log.close()


async def test_a_server_so_configured_knows_who_logs_in(tmp_path: Path, keys: Path) -> None:
    with _server("small", tmp_path, keys) as port:
        url = f"nats://127.0.0.1:{port}"
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


@pytest.mark.parametrize("kind", ["small", "plain"])
def test_a_server_takes_the_configuration(kind: str, tmp_path: Path, keys: Path) -> None:
    with _server(kind, tmp_path, keys):
        pass
    check = [executable(), "-t", "-c", str(tmp_path / "nats-config" / "nats.conf")]
    env = {**os.environ, "SERVER_NAME": "nats-0"}
    done = subprocess.run(check, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
