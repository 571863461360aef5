"""What ElevenLabs and we say to each other: addresses, messages, and what they mean.

What the server sends is read here by hand: the SDK's models are unions without a
discriminator, and take an error for the end of the speech.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from parley.faults import ProviderError
from parley.messages import Retry
from parley.statuses import error_of
from parley_tts.clouds.character_times import Character

WHO = "ElevenLabs"
API = "https://api.elevenlabs.io"
SAMPLE_RATE = 24_000
OUTPUT_FORMAT = f"pcm_{SAMPLE_RATE}"

_STATUS_OF = {
    "invalid_api_key": 401,
    "missing_permissions": 403,
    "detected_unusual_activity": 403,
    "quota_exceeded": 402,
    "voice_not_found": 404,
    "voice_id_does_not_exist": 404,
    "model_not_found": 404,
    "max_character_limit_exceeded": 400,
    "rate_limit_exceeded": 429,
    "too_many_concurrent_requests": 429,
    "system_busy": 429,
}
"""What an error is called, and the status that says it best: the one it comes with may not."""


@dataclass(frozen=True)
class Voice:
    """Who speaks, and how."""

    id: str
    model: str
    language: str | None
    """ISO 639-1; None for a model that goes by the text."""
    settings: dict[str, float]
    """What of stability, similarity_boost and speed is not to be the voice's own."""


@dataclass(frozen=True)
class Piece:
    """A piece of speech: PCM16 and the characters in it, timed from the piece's beginning."""

    audio: bytes = b""
    characters: tuple[Character, ...] = ()


@dataclass(frozen=True)
class Frame:
    """A message of the server. `context` is whose it is, if it says."""

    context: str | None
    piece: Piece
    is_final: bool = False
    error: ProviderError | None = None


def voice(voice: str, model: str, language: str, settings: dict[str, float | None]) -> Voice:
    """A voice that speaks `language`, as in `en-GB`."""
    takes_language = model.endswith("v2_5") or refuses_sockets(model)
    given = {name: value for name, value in settings.items() if value is not None}
    return Voice(voice, model, language.split("-")[0] if takes_language else None, given)


def refuses_sockets(model: str) -> bool:
    """Whether the model can only be asked over HTTP."""
    return model.startswith(("eleven_v3", "eleven_v4"))


def socket_url(base_url: str | None, voice: Voice) -> str:
    """Where the socket for many contexts is."""
    query = {
        "model_id": voice.model,
        "output_format": OUTPUT_FORMAT,
        # Whole sentences come, so nothing is gained by waiting for more text.
        "auto_mode": "true",
        "sync_alignment": "true",
        "inactivity_timeout": "180",
    }
    if voice.language:
        query["language_code"] = voice.language
    base = (base_url or API).rstrip("/")
    base = f"ws{base[4:]}" if base.startswith("http") else base
    path = f"/v1/text-to-speech/{voice.id}/multi-stream-input"
    return f"{base}{path}?{urlencode(query)}"


def open_context(context: str, voice: Voice) -> str:
    """Begins a context; only here can it be told how to speak."""
    begin: dict[str, Any] = {"text": " ", "context_id": context}
    if voice.settings:
        begin["voice_settings"] = voice.settings
    return json.dumps(begin)


def send_text(context: str, text: str) -> str:
    """All of its text: speak it now."""
    return json.dumps({"text": f"{text.strip()} ", "context_id": context, "flush": True})


def close_context(context: str) -> str:
    """No more text. Without this the server never says that the speech is at its end."""
    return json.dumps({"context_id": context, "close_context": True})


def read_frame(text: str | bytes) -> Frame:
    """What the server sends. Raises ValueError where it cannot be understood.

    The server spells some names in two ways, and sends kinds of messages that nobody has
    published: one with no audio, no end and no error has none of them here.
    """
    message = json.loads(text)
    if not isinstance(message, dict):
        raise ValueError("no object")
    context = message.get("contextId") or message.get("context_id")
    if message.get("error") is not None:
        return Frame(context, Piece(), error=error_named(message["error"]))
    is_final = message.get("isFinal") is True or message.get("is_final") is True
    return Frame(context, Piece(decode(message.get("audio")), _characters(message)), is_final)


def decode(audio: object) -> bytes:
    """Audio in base64; none is none. Raises ValueError."""
    if audio is None:
        return b""
    if not isinstance(audio, str):
        raise ValueError("no audio")
    try:
        return base64.b64decode(audio, validate=True)
    except binascii.Error:
        raise ValueError("no audio") from None


def characters(texts: object, starts: object, ends: object) -> tuple[Character, ...]:
    """Characters from the lists of an alignment, times in ms. Raises ValueError."""
    lists = (texts, starts, ends)
    if not all(isinstance(each, Sequence) for each in lists):
        raise ValueError("no alignment")
    try:
        return tuple(
            Character(str(text), float(start), float(end))
            for text, start, end in zip(*lists, strict=True)  # type: ignore[call-overload]
        )
    except TypeError:
        raise ValueError("no alignment") from None


def error_named(name: object, status: int | None = None) -> ProviderError:
    """An error that the server calls `name`, or that came with `status`."""
    known = _STATUS_OF.get(str(name))
    if known is not None or status is not None:
        return error_of(known or status or 0, WHO)
    return ProviderError(f"{WHO} failed in the middle of a sentence", Retry.NOW)


def _characters(message: dict[str, Any]) -> tuple[Character, ...]:
    """The alignment to the text as it was sent; to what was made of it, where that is all."""
    alignment = message.get("alignment") or message.get("normalizedAlignment")
    if not alignment:
        return ()
    if not isinstance(alignment, dict):
        raise ValueError("no alignment")
    starts = _either(alignment, "charStartTimesMs", "charsStartTimesMs")
    durations = _either(alignment, "charsDurationsMs", "charDurationsMs")
    return tuple(
        Character(text, start, start + duration)
        for text, start, duration in characters(alignment.get("chars"), starts, durations)
    )


def _either(alignment: dict[str, Any], name: str, other: str) -> object:
    return alignment[name] if name in alignment else alignment.get(other)
