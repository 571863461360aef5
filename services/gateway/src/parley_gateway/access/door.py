"""Who stands at the door, and what they may have: decided from what they show, without waiting."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from starlette.requests import HTTPConnection

from parley.api_keys import ApiKey
from parley_gateway import protocol
from parley_gateway.access import origins
from parley_gateway.access.keyring import Keyring
from parley_gateway.access.tokens import Claims, Signer


@dataclass(frozen=True)
class Visitor:
    """What a request shows of who makes it."""

    secret: str = field(default="", repr=False)
    origin: str | None = None
    host: str = ""

    @classmethod
    def of(cls, request: HTTPConnection) -> Self:
        """Of a request, or of a WebSocket's handshake: the header counts before the query."""
        headers = request.headers
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        bearer = credentials.strip() if scheme.lower() == "bearer" else ""
        secret = bearer or request.query_params.get("token", "")
        return cls(secret, headers.get("origin"), headers.get("host", ""))


@dataclass(frozen=True)
class Grant:
    """As whom somebody is let in. `name` None: the gateway asks for no key.

    `claims`: of the signed token that was shown in the key's place.
    """

    name: str | None = None
    key: ApiKey | None = None
    claims: Claims | None = None

    def agent(self, asked: str | None) -> str:
        """The agent that answers who asks for this one, or for none."""
        return asked or (self.claims and self.claims.agent) or "default"

    def admits(self, agent: str) -> bool:
        """Whether that agent may be called."""
        by_token = self.claims is None or self.claims.agent in (None, agent)
        return by_token and (
            self.key is None or self.key.agents is None or agent in self.key.agents
        )


OPEN = Grant()
"""For all, where no key is asked for."""


class Door:
    """Keys, tokens and origins. `origins`: PARLEY_ORIGINS, for keys that have none of their own."""

    def __init__(
        self, keyring: Keyring, signer: Signer | None = None, origins: Sequence[str] | None = None
    ) -> None:
        self.keyring = keyring
        self.signer = signer
        self._origins = origins

    def admit(self, visitor: Visitor, *, resuming: bool = False) -> Grant:
        """Who it is. Raises ProtocolError: unauthorized, token_expired or wrong_origin.

        Who goes on with a call may show a token that has run out since the call began.
        """
        grant = self._who(visitor.secret, resuming=resuming) if self.keyring.needed else OPEN
        listed = self._origins
        if grant.key is not None and grant.key.origins is not None:
            listed = grant.key.origins
        guarded = listed is not None or grant is not OPEN
        if guarded and not origins.allowed(visitor.origin, visitor.host, listed):
            raise protocol.wrong_origin()
        return grant

    def admit_key(self, visitor: Visitor) -> Grant:
        """The same for what a signed token is not enough for: it is for calls alone."""
        grant = self.admit(visitor)
        if grant.claims is not None:
            raise protocol.unauthorized()
        return grant

    def _who(self, secret: str, *, resuming: bool) -> Grant:
        keys = self.keyring.keys
        if (name := self.keyring.find(secret)) is not None:
            return Grant(name, keys[name])
        if self.signer is None:
            raise protocol.unauthorized()
        claims = self.signer.check(secret, time.time(), resuming=resuming)
        if claims.key not in keys:  # It has been taken away since.
            raise protocol.unauthorized()
        return Grant(claims.key, keys[claims.key], claims)
