"""AssemblyAI's streaming protocol, as far as it is pure: addresses, messages, codes."""

import json
from typing import Any
from urllib.parse import urlencode

from assemblyai.streaming.v3 import (
    BeginEvent,
    RealTimeParameters,
    TerminationEvent,
    TurnEvent,
    Word,
)
from pydantic import BaseModel, ValidationError

from parley.faults import ProviderError
from parley.messages import Retry
from parley.statuses import broken_off, error_of

HOST = "wss://streaming.assemblyai.com"
ENGLISH_ONLY = "universal-streaming-english"

Event = BeginEvent | TurnEvent | TerminationEvent

_EVENTS: dict[str, type[BaseModel]] = {
    "Begin": BeginEvent,
    "Turn": TurnEvent,
    "Termination": TerminationEvent,
}
_STATUSES = {
    1008: 401,
    1013: 429,
    3006: 400,
    3009: 429,
    4001: 401,
    4002: 402,
    4003: 402,
    4029: 429,
    4102: 429,
}
"""Codes of the protocol, and the HTTP statuses that mean the same; the others pass."""


def is_formatted_anyway(model: str) -> bool:
    """Whether a model's text is always punctuated; of others there is a second, formatted Turn."""
    return not model.startswith("universal-streaming")


def url(base_url: str | None, parameters: RealTimeParameters) -> str:
    """Where to connect to."""
    query = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in parameters.model_dump(mode="json", exclude_none=True).items()
    }
    host = (base_url or HOST).rstrip("/")
    if host.startswith("http"):
        host = host.replace("http", "ws", 1)
    return f"{host}/v3/ws?{urlencode(query)}"


def parse(text: str | bytes, who: str) -> Event | None:
    """A message of the server. None: it cannot be understood, or tells nothing of the hearing.

    Raises ProviderError for an Error.
    """
    try:
        message: Any = json.loads(text)
    except ValueError:
        return None
    if not isinstance(message, dict):
        return None
    kind = message.get("type")
    if kind == "Error" or (kind is None and "error" in message):
        raise error_of_code(message.get("error_code"), who)
    model = _EVENTS.get(kind) if isinstance(kind, str) else None
    if model is None:
        return None
    try:
        event: Any = model.model_validate(message)
    except ValidationError:
        return None
    parsed: Event = event
    return parsed


def error_of_code(code: Any, who: str) -> ProviderError:
    """What the code of an Error, or of a close, means."""
    if code in _STATUSES:
        return error_of(_STATUSES[code], who)
    if code in (1011, 3005):
        return error_of(500, who)
    if code == 3007:
        return ProviderError(f"{who} did not want audio in this measure (3007)", Retry.NOW)
    return broken_off(who)


def joined(turn: TurnEvent, words: list[Word]) -> str:
    """The text of these of a turn's words: as the turn has it, where they are all of them."""
    if turn.end_of_turn and len(words) == len(turn.words):
        return turn.transcript.strip()
    return " ".join(word.text for word in words).strip()


def confidence(words: list[Word]) -> float:
    """How sure of the words it is, from 0 to 1."""
    if not words:
        return 1.0
    return min(max(sum(word.confidence for word in words) / len(words), 0.0), 1.0)
