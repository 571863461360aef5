"""ElevenLabs: many languages and voices, with the time of every character."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import ClassVar, Literal, Protocol

from pydantic import Field

from parley.audio import duration_ms
from parley.cloud import CloudSettings
from parley.providers import (
    ProviderSettings,
    SynthesisResult,
    Synthesizer,
    SynthesizerCapabilities,
)
from parley.secret_refs import SecretRef
from parley_tts.clouds.character_times import Character, CharacterTimes
from parley_tts.clouds.cloud_speech import cloud_speech
from parley_tts.clouds.elevenlabs_sockets import Sockets
from parley_tts.clouds.elevenlabs_wire import SAMPLE_RATE, WHO, Piece, refuses_sockets, voice


class ElevenLabsSettings(CloudSettings):
    """Settings of a voice of ElevenLabs."""

    api_key: SecretRef = "env:ELEVENLABS_API_KEY"

    voice_id: str = Field(default="JBFqnCBsd6RMkjVDRZzb", pattern=r"^[A-Za-z0-9_-]+$")
    """The voice, by its id. Default: George, one of the stock voices that every account has."""

    model: str = Field(default="eleven_flash_v2_5", min_length=1)
    """The model: eleven_flash_v2_5 is the quickest; eleven_v3 has the most expression."""

    transport: Literal["websocket", "http"] | None = None
    """One socket for many sentences, or a request for each. Default: http for the models that
    refuse the socket (eleven_v3, eleven_v4), websocket for all others."""

    stability: float | None = Field(default=None, ge=0, le=1)
    """How alike it always sounds. Default: the voice's own."""

    similarity_boost: float | None = Field(default=None, ge=0, le=1)
    """How close it keeps to the voice it was made of. Default: the voice's own."""

    speed: float | None = Field(default=None, ge=0.7, le=1.2)
    """How fast it speaks: 1.0 is its natural pace. Default: the voice's own."""


class _Transport(Protocol):
    def speak(self, text: str) -> AsyncGenerator[Piece, None]: ...

    async def close(self) -> None: ...


class ElevenLabsSynthesizer(Synthesizer):
    """Speaks sentence by sentence, over a connection that all calls with this voice share."""

    Settings = ElevenLabsSettings
    settings: ElevenLabsSettings
    capabilities = SynthesizerCapabilities(gives_word_times=True)

    _transports: ClassVar[set[_Transport]] = set()

    def __init__(self, settings: ProviderSettings, language: str) -> None:
        super().__init__(settings, language)
        self._transport = self._connected()
        self._transports.add(self._transport)

    @classmethod
    async def shut_down(cls) -> None:
        """Close all connections."""
        while cls._transports:
            await cls._transports.pop().close()

    async def create_speech(self, message: str) -> SynthesisResult:
        """Begin to speak a sentence."""
        account = self.settings.account(WHO)
        return cloud_speech(message, SAMPLE_RATE, WHO, account, self._speak)

    async def _speak(self, result: SynthesisResult) -> AsyncGenerator[bytes, None]:
        times = CharacterTimes(result.message)
        spoken_bytes, placed_ms = 0, 0.0
        async with aclosing(self._transport.speak(result.message)) as pieces:
            async for piece in pieces:
                # Over the socket, times count from the piece; over HTTP, from the speech.
                first = piece.characters[0].start_ms if piece.characters else 0.0
                before_ms = duration_ms(spoken_bytes, SAMPLE_RATE) if first < placed_ms else 0.0
                moved = _later(piece.characters, before_ms)
                result.marks += times.place(moved)
                placed_ms = max([placed_ms, *(character.end_ms for character in moved)])
                spoken_bytes += len(piece.audio)
                yield piece.audio

    def _connected(self) -> _Transport:
        settings = self.settings
        how = {
            "stability": settings.stability,
            "similarity_boost": settings.similarity_boost,
            "speed": settings.speed,
        }
        wanted = voice(settings.voice_id, settings.model, self.language, how)
        address = (settings.base_url, settings.key(WHO), wanted, self.patience)
        over_http = refuses_sockets(settings.model)
        if (settings.transport or ("http" if over_http else "websocket")) == "websocket":
            return Sockets(*address)
        # Only here: the SDK takes most of a second to import.
        from parley_tts.clouds.elevenlabs_http import Requests

        return Requests(*address)


def _later(characters: tuple[Character, ...], ms: float) -> list[Character]:
    return [Character(each.text, each.start_ms + ms, each.end_ms + ms) for each in characters]
