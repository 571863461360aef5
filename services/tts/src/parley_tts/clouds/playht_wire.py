"""What a server of Play.ht's kind and we say to each other."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

SAMPLE_RATE = 24_000

_VERSIONS = {"Play3.0-mini": "v3"}
_DIALOG_VERSION = "ldm"
_MULTILINGUAL = ("Play3.0-mini", "PlayDialogMultilingual")
_EARLY = timedelta(minutes=5)
"""An address is given up so long before it expires."""
_LANGUAGES = {
    "af": "afrikaans", "am": "amharic", "ar": "arabic", "bg": "bulgarian", "bn": "bengali",
    "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek",
    "en": "english", "es": "spanish", "fr": "french", "gl": "galician", "he": "hebrew",
    "hi": "hindi", "hr": "croatian", "hu": "hungarian", "id": "indonesian", "it": "italian",
    "ja": "japanese", "ko": "korean", "ms": "malay", "nl": "dutch", "pl": "polish",
    "pt": "portuguese", "ru": "russian", "sq": "albanian", "sr": "serbian", "sv": "swedish",
    "th": "thai", "tl": "tagalog", "tr": "turkish", "uk": "ukrainian", "ur": "urdu",
    "xh": "xhosa", "zh": "mandarin",
}  # fmt: skip


class Address(NamedTuple):
    """Where speech is asked for: the URL holds a token, and is good for a while only."""

    url: str
    until: datetime

    def is_good(self, now: datetime) -> bool:
        """Whether it can still be used."""
        return now < self.until


def read_address(answer: object, engine: str) -> Address:
    """The address for an engine, from what `sdk-auth` answers. Raises ValueError."""
    try:
        url = answer[engine]["http_streaming_url"]  # type: ignore[index]
        expires = answer["expires_at"]  # type: ignore[index]
        until = datetime.strptime(expires, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    except (KeyError, TypeError):
        raise ValueError("no address") from None
    if not (isinstance(url, str) and url.startswith(("http://", "https://"))):
        raise ValueError("no address")
    return Address(url, until - _EARLY)


def request(text: str, voice: str, engine: str, language: str, speed: float) -> dict[str, Any]:
    """What asks for the speech of a text as PCM16."""
    asked = {
        "text": [text],
        "voice": voice,
        "output_format": "pcm",
        "speed": speed,
        "sample_rate": SAMPLE_RATE,
        "voice_engine": engine,
        "version": _VERSIONS.get(engine, _DIALOG_VERSION),
    }
    name = _LANGUAGES.get(language.split("-")[0])
    if name is not None and engine in _MULTILINGUAL:
        asked["language"] = name
    return asked
