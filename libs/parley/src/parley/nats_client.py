"""The NATS client, and where ours differs from it."""

import base64
import ssl
from dataclasses import dataclass

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from parley import nats_login
from parley.config import ServiceConfig
from parley.nats_login import BadLogin, key_pair


class PermissionsViolation(nats.errors.Error):
    """NATS has not let this process publish or subscribe. The text says what."""


@dataclass
class ConnectedMsg(Msg):
    """A message that knows the connection on which it came."""

    def __post_init__(self) -> None:
        self._connection = self._client.stats["reconnects"]

    @property
    def connected(self) -> bool:
        """Whether that connection is still there."""
        return self._client.is_connected and self._connection == self._client.stats["reconnects"]


class StrictClient(Client):
    """The client, with three differences.

    - The seed and the certificates are read again for each connection, so that new ones need no
      restart.
    - Where TLS is asked for, it does not log in without; the client would, at the word of
      whoever answers.
    - When the server ends the connection with an error, it comes back. The client would stay
      away for ever.
    """

    msg_class = ConnectedMsg

    def __init__(self, config: ServiceConfig) -> None:
        super().__init__()
        self._config = config

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """For the connection that is made just now."""
        return nats_login.tls_context(self._config) or super().ssl_context

    def _connect_command(self) -> bytes:
        if nats_login.needs_tls(self._config) and not self._server_info.get("tls_required"):
            raise BadLogin("it offers no TLS")
        if self._config.nats_seed_file is not None:
            pair = key_pair(self._config.nats_seed_file)
            self._public_nkey = pair.public_key.decode()
            self._signature_cb = lambda nonce: base64.b64encode(pair.sign(nonce.encode()))
        return super()._connect_command()

    async def _process_err(self, err_msg: str) -> None:
        text = err_msg.strip("'")
        if "permissions violation" in text:
            await self._error_cb(PermissionsViolation(text))
            return
        error = nats.errors.Error(f"nats: {text}")
        await self._error_cb(error)
        await self._process_op_err(error)
