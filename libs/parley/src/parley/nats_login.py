"""How a process shows NATS who it is, and how it knows that it talks to the right server."""

import ssl
from pathlib import Path
from urllib.parse import urlsplit

import nkeys

from parley.config import ServiceConfig


class BadLogin(OSError):
    """What the process was given to log in with cannot be used. The text is for people."""


def key_pair(path: Path) -> nkeys.KeyPair:
    """The key pair whose seed is in a file. Raises BadLogin; no error shows the seed."""
    try:
        seed = bytearray(path.read_bytes().strip())
        return nkeys.from_seed(seed)
    except OSError as error:
        raise BadLogin(f"cannot read {path}: {error.strerror}") from None
    except (nkeys.NkeysError, ValueError, IndexError):
        raise BadLogin(f"{path} holds no nkey seed") from None


def urls(config: ServiceConfig) -> list[str]:
    """The servers' addresses."""
    return [url.strip() for url in config.nats_url.split(",")]


def shown(config: ServiceConfig) -> str:
    """The servers' addresses for people: without the passwords that may stand in them."""
    return ", ".join(_without_password(url) for url in urls(config))


def _without_password(url: str) -> str:
    scheme, found, rest = url.rpartition("://")
    return f"{scheme}{found}{rest.rpartition('@')[2]}"


def needs_tls(config: ServiceConfig) -> bool:
    """Whether nothing may go over a connection that is not encrypted."""
    named = any(urlsplit(url).scheme in ("tls", "wss") for url in urls(config))
    return named or bool(config.nats_ca or config.nats_certificate)


def tls_context(config: ServiceConfig) -> ssl.SSLContext | None:
    """Whom to trust, and the certificate to show; None where TLS is not asked for.

    Raises BadLogin.
    """
    if not needs_tls(config):
        return None
    try:
        context = ssl.create_default_context(cafile=config.nats_ca)
    except OSError as error:
        raise BadLogin(f"cannot use {config.nats_ca}: {error.strerror or error}") from None
    if config.nats_certificate is not None:
        key = config.nats_certificate_key
        try:
            context.load_cert_chain(config.nats_certificate, key)
        except OSError as error:
            reason = error.strerror or error
            raise BadLogin(f"cannot use {config.nats_certificate} with {key}: {reason}") from None
    return context


def refusal(error: Exception, config: ServiceConfig) -> str | None:
    """Why it is no use to try again; None where it may be."""
    match error:
        case BadLogin():
            return str(error)
        case ssl.SSLCertVerificationError():
            return f"its certificate is not to be trusted: {error.verify_message}"
        case ssl.SSLError():
            return f"TLS failed: {error.reason or error}"
    if is_refused(error):
        return f"it lets nobody in {_identity(config)}"
    return None


def is_refused(error: Exception) -> bool:
    """Whether the server has not let this process in; the client knows it by the text only."""
    return "authorization" in str(error).lower()


def _identity(config: ServiceConfig) -> str:
    if config.nats_seed_file is not None:
        public = key_pair(config.nats_seed_file).public_key.decode()
        return f"with the key {public}, of {config.nats_seed_file}"
    if config.nats_credentials is not None:
        return f"with {config.nats_credentials}"
    return "without a key: set PARLEY_NATS_SEED_FILE"
