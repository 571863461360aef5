"""NATS as its official chart has it with our values: the objects, and servers that run so.

The chart is in no package registry: it is used where PARLEY_NATS_CHART names its folder, or where
`helm pull nats --untar` has put it into the user's cache.
"""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from support import kube_tools
from support.manifests import FOLDER, Manifests, chart, rendered
from support.nats import executable, free_port

CHART = Path(os.environ.get("PARLEY_NATS_CHART") or kube_tools.CACHE.with_name("nats-chart"))
ACCOUNTS = FOLDER.parent / "nats" / "accounts.conf"
VALUES = {
    "production": ["values.yaml", "tls.yaml"],
    "plain": ["values.yaml"],
    "small": ["values.yaml", "small.yaml"],
}


def objects(kind: str) -> Manifests:
    """What the chart makes of our values. Skips the test where the chart is not."""
    if not (CHART / "Chart.yaml").exists():
        pytest.skip(f"no NATS chart in {CHART}: `helm pull nats --untar`, or PARLEY_NATS_CHART")
    return chart(CHART, VALUES[kind])


@dataclass(frozen=True)
class Member:
    """One server's ports on this machine."""

    client: int = field(default_factory=free_port)
    cluster: int = field(default_factory=free_port)
    monitor: int = field(default_factory=free_port)


def configure(
    kind: str, folder: Path, keys: Path, members: list[Member], number: int = 0
) -> list[str]:
    """Lay a member's files as its pod has them, but in `folder`; the command that starts it.

    `keys` is the folder of `parley nats-keys`; certificates are in `folder`/../tls.
    """
    mine = members[number]
    config: str = objects(kind).get("ConfigMap", "nats-config")["data"]["nats.conf"]
    places = {
        '"port": 4222': f'"host": "127.0.0.1", "port": {mine.client}',
        '"http_port": 8222': f'"http": "127.0.0.1:{mine.monitor}"',
        '"/data"': f'"{folder / "data"}"',
        "/var/run/nats/nats.pid": str(folder / "nats.pid"),
    }
    if kind != "small":
        places['"port": 6222'] = f'"host": "127.0.0.1", "port": {mine.cluster}'
        for other, member in enumerate(members):
            places[f"nats-{other}.nats-headless:6222"] = f"localhost:{member.cluster}"
    if kind == "production":
        for place in ("/etc/nats-ca-cert", "/etc/nats-certs/nats", "/etc/nats-certs/cluster"):
            places[place] = str(folder.parent / "tls")
    for place, path in places.items():
        assert place in config, place
        config = config.replace(place, path)
    for name, text in {
        "nats-config/nats.conf": config,
        "nats-accounts/config/accounts.conf": ACCOUNTS.read_text(),
        "nats-accounts/keys/keys.conf": (keys / "nats" / "keys.conf").read_text(),
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return [executable(), "-c", str(folder / "nats-config" / "nats.conf")]


@contextlib.contextmanager
def running(command: list[str], name: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server of that name, until the block is left."""
    environment = {**os.environ, "SERVER_NAME": name}
    with log.open("wb") as file:
        server = subprocess.Popen(command, env=environment, stdout=file, stderr=file)
        try:
            yield server
        finally:
            server.kill()
            server.wait()


def certificates(folder: Path) -> None:
    """What cert-manager makes of the production overlay: tls.crt and client.crt, with keys."""
    spec = rendered("production-hpa").get("Certificate", "nats-server")["spec"]
    authority = trustme.CA()
    folder.mkdir()
    authority.cert_pem.write_to_path(str(folder / "ca.crt"))
    made = {"tls": authority.issue_cert(*spec["dnsNames"]), "client": authority.issue_cert("x")}
    for name, one in made.items():
        one.cert_chain_pems[0].write_to_path(str(folder / f"{name}.crt"))
        one.private_key_pem.write_to_path(str(folder / f"{name}.key"))
