"""A NATS server with the configuration that is shipped, keys of its own, and a witness."""

import shutil
import signal
import tempfile
from pathlib import Path

import nkeys
import trustme

from parley_cli import nats_keys
from support.nats import NatsServer

DEPLOY = Path(__file__).parents[2] / "deploy" / "nats"
WITNESS = """
      { nkey: $WITNESS_KEY, permissions { publish: ">", subscribe: ">" } }
"""
"""A user more than is shipped: a test sees with it what reached whom."""


class SecuredNats(NatsServer):
    """Start it, stop it, as any NATS server of a test. `folder` gets its files and the keys.

    With `tls`, it and its clients show certificates.
    """

    def __init__(self, folder: Path, *, tls: bool = False, witness: bool = False) -> None:
        self._witness = witness
        super().__init__(name="nats", jetstream=False)
        self.keys = folder / "keys"
        self.log = folder / "nats.log"
        config = folder / "config"
        shutil.copytree(DEPLOY, config)
        self.renew()
        accounts = config / "accounts.conf"
        text = accounts.read_text().replace("../keys/", "../keys/nats/")
        if witness:
            text = text.replace("users: [", f"users: [{WITNESS}", 1)
        accounts.write_text(text)
        store = tempfile.mkdtemp(prefix="store-", dir=folder)
        _replace(config / "nats.conf", "store_dir: /data", f'store_dir: "{store}"')
        _replace(config / "nats-tls.conf", "/etc/nats/tls", str(folder / "tls"))
        self._certificates = folder / "tls"
        self._tls = _certificates(self._certificates) if tls else {}
        if tls:
            self.url = self.url.replace("nats://", "tls://")
        main = config / ("nats-tls.conf" if tls else "nats.conf")
        self._options = ["-c", str(main), "-l", str(self.log)]

    def renew(self, *users: str) -> None:
        """New keys for these users; the server learns of them by `reload`."""
        nats_keys.write(self.keys, users)
        if not self._witness:
            return
        path = self.keys / "witness"
        if not path.exists():
            path.write_bytes(nkeys.encode_seed(bytes(range(32)), nkeys.PREFIX_BYTE_USER))
        public = nkeys.from_seed(bytearray(path.read_bytes())).public_key.decode()
        with (self.keys / "nats" / "keys.conf").open("a") as file:
            file.write(f"WITNESS_KEY: {public}\n")

    def renew_certificates(self) -> None:
        """Others, by another authority, in the same files: its own, and those of its clients."""
        _certificates(self._certificates)

    def reload(self) -> None:
        """It reads its configuration again."""
        self._signal(signal.SIGHUP)

    def settings(self, user: str) -> dict[str, str]:
        """What a service needs in its environment to be that user."""
        seed = self.keys / "witness" if user == "witness" else self.keys / user / "seed"
        return {"PARLEY_NATS_URL": self.url, "PARLEY_NATS_SEED_FILE": str(seed), **self._tls}


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def _certificates(folder: Path) -> dict[str, str]:
    """Those of the server and its clients; the clients' settings."""
    folder.mkdir(exist_ok=True)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.crt"))
    server = authority.issue_cert("127.0.0.1", "localhost")
    server.cert_chain_pems[0].write_to_path(str(folder / "server.crt"))
    server.private_key_pem.write_to_path(str(folder / "server.key"))
    client = authority.issue_cert("parley")
    client.private_key_and_cert_chain_pem.write_to_path(str(folder / "client.pem"))
    return {
        "PARLEY_NATS_CA": str(folder / "ca.crt"),
        "PARLEY_NATS_CERTIFICATE": str(folder / "client.pem"),
    }
