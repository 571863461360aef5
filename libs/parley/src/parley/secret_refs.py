"""Secrets by reference: a profile names where a key is, the worker that needs it looks there.

`env:DEEPGRAM_API_KEY` is an environment variable, `file:/run/secrets/deepgram` a file. The key
itself never stands in a profile, crosses NATS, or is shown in an error.
"""

import os
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from parley.faults import ProviderError
from parley.messages import Retry

NOT_A_REFERENCE = "secret_reference"
"""The type of the validation error. What was given instead may be a key: do not show it."""

_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:.+")


def _checked(text: str) -> str:
    if not _REFERENCE.fullmatch(text):
        raise PydanticCustomError(
            NOT_A_REFERENCE,
            "must say where the secret is, as env:NAME or file:/path, not what it is",
        )
    return text


SecretRef = Annotated[str, AfterValidator(_checked)]
"""Where a secret is: `env:NAME` or `file:/path`."""

_SECRETS = frozenset({"apiKey", "accessKey", "secretKey", "credentials", "password", "token"})


def _without_secrets(settings: dict[str, Any]) -> dict[str, Any]:
    for name in _SECRETS.intersection(settings):
        if not _REFERENCE.fullmatch(str(settings[name])):
            raise PydanticCustomError(
                NOT_A_REFERENCE,
                "{name} must say where the secret is, as env:NAME or file:/path, not what it is",
                {"name": name},
            )
    return settings


Settings = Annotated[dict[str, Any], AfterValidator(_without_secrets)]
"""A provider's settings as a profile gives them: they travel, so they hold no secret."""


def resolve(reference: str, who: str) -> str:
    """The secret that `who`, for people, needs. Raises ProviderError, never try again.

    `env:NAME` also finds it in the file that NAME_FILE names, as container secrets are given.
    """
    kind, _, place = reference.partition(":")
    if kind == "file":
        return _read(place, who)
    if value := os.environ.get(place, "").strip():
        return value
    if path := os.environ.get(f"{place}_FILE"):
        return _read(path, who)
    raise ProviderError(f"{who} needs a key: set {place} where the worker runs", Retry.NEVER)


def _read(path: str, who: str) -> str:
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ProviderError(f"{who} needs a key: cannot read {path}", Retry.NEVER) from None
    if not text:
        raise ProviderError(f"{who} needs a key: {path} is empty", Retry.NEVER)
    return text
