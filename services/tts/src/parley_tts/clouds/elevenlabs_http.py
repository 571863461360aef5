"""ElevenLabs over HTTP, with its SDK: for the models that refuse the sockets.

The SDK skips a line that it cannot read, without a word. So the speech counts as complete only if
its characters are those of the text.
"""

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import httpx
from elevenlabs.client import AsyncElevenLabs
from elevenlabs.core import ApiError
from elevenlabs.types import VoiceSettings

from parley.faults import ProviderError
from parley.patience import Patience
from parley.retry_after import retry_after
from parley.statuses import broken_off, error_of, late, unreachable
from parley_tts.clouds.elevenlabs_wire import (
    API,
    OUTPUT_FORMAT,
    WHO,
    Piece,
    Voice,
    characters,
    decode,
    error_named,
)

_MISSING = 2
"""So many letters of a text may have no time. With a line, more than those are missing."""
_DIRECTION = re.compile(r"\[[^\]]*\]")


class Requests:
    """One voice, asked with a request for each sentence."""

    def __init__(self, base_url: str | None, key: str, voice: Voice, patience: Patience) -> None:
        self._http = httpx.AsyncClient()
        base = (base_url or API).rstrip("/")
        base = f"http{base[2:]}" if base.startswith("ws") else base
        self._client = AsyncElevenLabs(
            base_url=base, api_key=key, timeout=patience.first, httpx_client=self._http
        )
        self._request: dict[str, Any] = {
            "voice_id": voice.id,
            "model_id": voice.model,
            "output_format": OUTPUT_FORMAT,
            "request_options": {"max_retries": 0},
        }
        if voice.settings:
            self._request["voice_settings"] = VoiceSettings(**voice.settings)
        if voice.language:
            self._request["language_code"] = voice.language

    async def speak(self, text: str) -> AsyncGenerator[Piece, None]:
        """Yield the speech of a text; ends where all of it has come."""
        spoken = ""
        is_timed = False
        try:
            speech = self._client.text_to_speech.stream_with_timestamps(text=text, **self._request)
            async with aclosing(speech) as chunks:
                async for chunk in chunks:
                    if chunk.alignment:
                        is_timed = True
                        spoken += "".join(map(str, chunk.alignment.characters))
                    yield _piece(chunk)
        except ApiError as error:
            raise _sorted(error) from None
        except httpx.TimeoutException:
            raise late(WHO) from None
        except httpx.RemoteProtocolError:
            raise broken_off(WHO) from None
        except httpx.HTTPError:
            raise unreachable(WHO) from None
        if is_timed and len(_letters(spoken)) < len(_letters(text)) - _MISSING:
            raise broken_off(WHO)

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()


def _piece(chunk: Any) -> Piece:
    """A line, read without trust in its types: the SDK makes them of whatever comes."""
    alignment = chunk.alignment or chunk.normalized_alignment
    try:
        audio = decode(getattr(chunk, "audio_base_64", None))
        if not alignment:
            return Piece(audio)
        return Piece(
            audio,
            characters(
                alignment.characters,
                [1000 * each for each in alignment.character_start_times_seconds],
                [1000 * each for each in alignment.character_end_times_seconds],
            ),
        )
    except (ValueError, TypeError, AttributeError):
        return Piece()


def _sorted(error: ApiError) -> ProviderError:
    if error.status_code is None:
        return unreachable(WHO)
    detail = error.body.get("detail") if isinstance(error.body, dict) else None
    name = detail.get("status") if isinstance(detail, dict) else None
    wait = retry_after(error.headers or {}, datetime.now(UTC))
    if wait is not None:
        return error_of(error.status_code, WHO, wait)
    return error_named(name, error.status_code)


def _letters(text: str) -> str:
    return "".join(each for each in _DIRECTION.sub("", text) if each.isalnum())
