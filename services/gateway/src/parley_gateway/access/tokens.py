"""Signed tokens, which a server with a key gets for the browsers of its users (pure)."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

import jwt

from parley.api_keys import BadKeys
from parley_gateway import protocol

ALGORITHM = "HS256"
AUDIENCE = "parley"
MAX_SECONDS = 3600
"""The longest that a token may be good for."""
LEEWAY_SECONDS = 5.0
"""How far the clocks of two gateways may be apart."""
MIN_SECRET_CHARACTERS = 32


@dataclass(frozen=True)
class Claims:
    """What a token says. `once`: it begins one call; `expires_at` is in s of Unix time."""

    id: str
    key: str
    agent: str | None
    once: bool
    expires_at: float


@dataclass(frozen=True)
class Signer:
    """Signs with the first of its secrets, and knows what any of them has signed."""

    secrets: Sequence[str] = field(repr=False)

    def __post_init__(self) -> None:
        if not self.secrets:
            raise BadKeys("there is no signing secret")
        if any(len(one) < MIN_SECRET_CHARACTERS for one in self.secrets):
            raise BadKeys(f"a signing secret has {MIN_SECRET_CHARACTERS} characters or more")

    def sign(self, key: str, agent: str | None, seconds: float, *, once: bool, now: float) -> str:
        """A token of the key's for that agent, or for all that the key may call."""
        fields = {
            "aud": AUDIENCE,
            "sub": key,
            "jti": secrets.token_hex(16),
            "iat": now,
            "exp": now + seconds,
            "once": once,
        }
        if agent is not None:
            fields["agent"] = agent
        return jwt.encode(fields, self.secrets[0], algorithm=ALGORITHM)

    def check(self, text: str, now: float, *, resuming: bool = False) -> Claims:
        """What the token says, if it was signed here. Raises unauthorized or token_expired.

        A token that has run out may still be shown by who goes on with a call.
        """
        for secret in self.secrets:
            fields = _verified(text, secret)
            if fields is not None:
                return _timely(fields, now, resuming=resuming)
        raise protocol.unauthorized()


def _verified(text: str, secret: str) -> dict[str, object] | None:
    # Times are checked here, not there: by a clock that tests can set.
    options: jwt.types.Options = {
        "require": ["exp", "iat", "jti", "sub", "aud"],
        "verify_exp": False,
        "verify_iat": False,
    }
    try:
        found: dict[str, object] = jwt.decode(
            text, secret, algorithms=[ALGORITHM], audience=AUDIENCE, options=options
        )
    except jwt.InvalidTokenError:
        return None
    return found


def _timely(fields: dict[str, object], now: float, *, resuming: bool) -> Claims:
    begins, ends, agent = fields["iat"], fields["exp"], fields.get("agent")
    if not isinstance(begins, int | float) or not isinstance(ends, int | float):
        raise protocol.unauthorized()
    if begins > now + LEEWAY_SECONDS or ends - begins > MAX_SECONDS:
        raise protocol.unauthorized()
    if now >= ends + LEEWAY_SECONDS and not resuming:
        raise protocol.token_expired()
    return Claims(
        id=str(fields["jti"]),
        key=str(fields["sub"]),
        agent=None if agent is None else str(agent),
        once=bool(fields.get("once", True)),
        expires_at=float(ends),
    )
