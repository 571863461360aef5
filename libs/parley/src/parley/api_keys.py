"""API keys: who may use the gateway, for what, and how much. The file holds only their hashes.

shop:
  sha256: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
  agents: [default]                  # which agents answer; without it: all
  origins: [https://shop.example]    # web pages that may call; without it: PARLEY_ORIGINS
  calls: 20                          # at once
  calls_a_minute: 60
  minutes_a_day: 600                 # of calls, together; days and months are UTC's
  minutes_a_month: 10000
"""

import hashlib
import re
import secrets
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

PREFIX = "parley-"
"""What a key begins with, so that people, and those who search for leaked keys, know it."""
SECRET_BYTES = 32

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_ORIGIN = re.compile(r"https?://[^/?#\s@,]+|\*")


class BadKeys(ValueError):
    """The file of keys cannot be used. The text says why, and holds no hash."""


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def checked_origin(text: str) -> str:
    """`text`, if it is a web page's origin, such as https://shop.example, or `*`: any."""
    if not _ORIGIN.fullmatch(text):
        raise ValueError(f"not an origin, such as https://shop.example, or '*': {text!r}")
    return text.lower()


Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Origin = Annotated[str, AfterValidator(checked_origin)]


class ApiKey(BaseModel):
    """What the holder of one key may do. A limit that is None does not exist."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    sha256: Annotated[tuple[Sha256, ...], BeforeValidator(_as_list)] = Field(repr=False)
    """The key's hash in hexadecimal; two while one key takes the place of another."""
    agents: tuple[str, ...] | None = None
    origins: tuple[Origin, ...] | None = None
    calls: int | None = Field(default=None, ge=0)
    calls_a_minute: int | None = Field(default=None, ge=0)
    minutes_a_day: float | None = Field(default=None, ge=0)
    minutes_a_month: float | None = Field(default=None, ge=0)


def new() -> str:
    """A key that nobody can guess."""
    return PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def digest(key: str) -> str:
    """The hash under which a key is known. Keys are long and random: it needs no salt."""
    return hashlib.sha256(key.encode()).hexdigest()


def read(path: Path) -> dict[str, ApiKey]:
    """The keys of a file, by name. Raises OSError or BadKeys."""
    return parse(path.read_text(encoding="utf-8"))


def parse(text: str) -> dict[str, ApiKey]:
    """The keys that are written as YAML, or as JSON, which is YAML. Raises BadKeys."""
    try:
        found = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise BadKeys(f"not YAML{f': line {mark.line + 1}' if mark else ''}") from None
    if not isinstance(found, dict):
        raise BadKeys("not a map of keys by their names")
    return {_checked_name(name): _key(name, fields) for name, fields in found.items()}


def add(path: Path, name: str) -> str:
    """A new key, whose hash is written at the end of the file. Raises OSError or BadKeys."""
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    if _checked_name(name) in parse(before):
        raise BadKeys(f"there is a key {name!r} already")
    key = new()
    entry = yaml.safe_dump({name: {"sha256": digest(key)}})
    if before and not before.endswith("\n"):
        entry = f"\n{entry}"
    parse(before + entry)
    with path.open("a", encoding="utf-8") as file:
        file.write(entry)
    return key


def _checked_name(name: object) -> str:
    # The name is a metric's label and a part of NATS subjects.
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadKeys(f"not a key's name (a-z, 0-9, '-', '_'; 63 at most): {name!r}")
    return name


def _key(name: object, fields: object) -> ApiKey:
    try:
        return ApiKey.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadKeys(f"key {name!r}: {where}: {first['msg']}") from None
