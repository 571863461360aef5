"""Deepgram's published protocol, as far as listening goes, and what is not allowed by it."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator

_SCHEMA = Path(__file__).parent / "schemas" / "deepgram.json"


@cache
def _schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(_SCHEMA.read_text(encoding="utf-8"))
    return loaded


def violations(version: str, part: str, message: dict[str, Any]) -> list[str]:
    """What is wrong with a `query`, or with a message of a `client` or `server`."""
    schema = _schema()[version][part]
    if part != "query":
        kind = message.get("type")
        if kind not in schema:
            return [f"{version}: {part} sent {kind!r}, which is not in the protocol"]
        schema = schema[kind]
    validator = Draft7Validator({**schema, "definitions": _schema()["definitions"]})
    return [f"{version}: {part}: {error.message}" for error in validator.iter_errors(message)]
