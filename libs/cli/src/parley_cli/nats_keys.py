"""Keys by which the services log in to NATS, and what its server needs to know of them.

    DIR/<user>/seed       the secret of a user: for that service alone
    DIR/nats/keys.conf    everyone's public key: no secret, for the NATS server

A folder for each, so that each can be a volume, or a secret, of its own.
"""

import os
import secrets
import tempfile
from collections.abc import Collection
from pathlib import Path

import nkeys

from parley.nats_login import BadLogin, key_pair
from parley_cli.errors import Failure, Usage

USERS = ("gateway", "stt", "agent", "tts", "operator")


def write(folder: Path, renew: Collection[str] = ()) -> list[str]:
    """Make the keys that are missing, and new ones for `renew`; whose were made.

    What is there otherwise stays as it is. Raises Failure, and Usage for a user there is none of.
    """
    if unknown := sorted(set(renew).difference(USERS)):
        raise Usage(f"no such user: {', '.join(unknown)}. There are: {', '.join(USERS)}")
    made = []
    try:
        for user in USERS:
            path = folder / user / "seed"
            if user in renew or not path.exists():
                seed = nkeys.encode_seed(secrets.token_bytes(32), nkeys.PREFIX_BYTE_USER)
                _put(path, bytes(seed) + b"\n", 0o600)
                made.append(user)
        _put(folder / "nats" / "keys.conf", _public_keys(folder).encode(), 0o644)
    except BadLogin as error:
        raise Failure(str(error)) from None
    except OSError as error:
        raise Failure(f"cannot write {error.filename}: {error.strerror}") from None
    return made


def _public_keys(folder: Path) -> str:
    lines = ["# Written by `parley nats-keys`. Public keys: nothing here is secret."]
    for user in USERS:
        public = key_pair(folder / user / "seed").public_key.decode()
        lines.append(f"{user.upper()}_KEY: {public}")
    return "\n".join(lines) + "\n"


def _put(path: Path, data: bytes, mode: int) -> None:
    """Write a file whole: whoever reads it finds the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Nobody else can read it from the first moment on.
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        os.fchmod(file.fileno(), mode)
    Path(name).replace(path)
