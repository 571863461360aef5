"""What is stored of a call for the gateway that takes it up, and the token that proves a claim."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import msgpack
from pydantic import BaseModel, ConfigDict, ValidationError

from parley.messages import what_is_wrong
from parley_gateway.state import TalkState

VERSION = 1
MAX_BYTES = 768 * 1024
"""NATS takes messages of 1 MiB. A longer history loses its beginning, in the store only."""
SECRET_BYTES = 24

_TOKEN = re.compile(r"([A-Za-z0-9_-]{1,64})\.([A-Za-z0-9_-]{1,64})", re.ASCII)


class BadRecord(ValueError):
    """The bytes are not a record of this version."""


class BadToken(ValueError):
    """The text is no resume token."""


@dataclass(frozen=True)
class ResumeToken:
    """What a client shows to go on with its call. The server keeps only the secret's hash."""

    conversation_id: str
    secret: str = field(repr=False)

    @classmethod
    def new(cls, conversation_id: str) -> Self:
        """A token that nobody can guess."""
        return cls(conversation_id, secrets.token_urlsafe(SECRET_BYTES))

    @classmethod
    def parse(cls, text: str) -> Self:
        """The token that is written as `text`. Raises BadToken."""
        if (parts := _TOKEN.fullmatch(text)) is None:
            raise BadToken("not <conversation>.<secret>")
        return cls(parts[1], parts[2])

    def __str__(self) -> str:
        return f"{self.conversation_id}.{self.secret}"

    @property
    def digest(self) -> str:
        """The secret's SHA-256, in hexadecimal."""
        return hashlib.sha256(self.secret.encode()).hexdigest()


class CallRecord(BaseModel):
    """One call. `epoch` counts its gateways, `holder` is the session that has it now.

    `started_at` is in s of Unix time, `secret_sha256` in hexadecimal.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    conversation_id: str
    agent: str
    key: str | None = None
    """The name of the API key that began it: it goes on with no other."""
    sample_rate: int
    encoding: Literal["linear16", "mulaw"]
    secret_sha256: str
    started_at: float
    holder: str
    epoch: int = 0
    left: bool = False
    """Whether its client was gone, so that it is not counted as one of the key's calls."""
    state: TalkState = TalkState()

    def admits(self, token: ResumeToken) -> bool:
        """Whether the token is this call's. Takes the same time for every wrong one."""
        return hmac.compare_digest(self.secret_sha256.encode(), token.digest.encode())

    def encode(self) -> bytes:
        """The record as msgpack, MAX_BYTES at most."""
        fields = self.model_dump(mode="json")
        while len(data := _pack(fields)) > MAX_BYTES and fields["state"]["entries"]:
            entries = fields["state"]["entries"]
            fields["state"]["entries"] = entries[len(entries) // 4 + 1 :]
        return data

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The record in `data`. Raises BadRecord."""
        try:
            fields = msgpack.unpackb(data)
        except Exception as error:
            raise BadRecord(f"not msgpack: {error}") from error
        if not isinstance(fields, dict) or fields.pop("v", None) != VERSION:
            raise BadRecord(f"not a record of version {VERSION}")
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            raise BadRecord(what_is_wrong(error)) from None


def new_holder() -> str:
    """A name for a session, so that it knows its own writes from another's."""
    return secrets.token_hex(8)


def _pack(fields: dict[str, Any]) -> bytes:
    return bytes(msgpack.packb({"v": VERSION, **fields}))
