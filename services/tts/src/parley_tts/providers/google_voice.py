"""Google Cloud's Text-to-Speech.

Chirp 3 HD voices stream, which makes them quick, but they never say when a word is spoken. The
classic voices (Standard, WaveNet, Neural2, ...) give a sentence whole, with the time of each word.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, ClassVar

from google.cloud.texttospeech_v1 import TextToSpeechAsyncClient
from google.cloud.texttospeech_v1.services.text_to_speech.transports import (
    TextToSpeechGrpcAsyncIOTransport,
)
from google.cloud.texttospeech_v1beta1 import TextToSpeechAsyncClient as BetaClient
from google.cloud.texttospeech_v1beta1.services.text_to_speech.transports import (
    TextToSpeechGrpcAsyncIOTransport as BetaTransport,
)
from pydantic import Field

from parley.audio import duration_ms
from parley.google_cloud import (
    FAILURES,
    Access,
    GoogleSettings,
    access,
    error_from,
    machine_access,
)
from parley.providers import (
    ChunkResult,
    ProviderSettings,
    SynthesisResult,
    Synthesizer,
    SynthesizerCapabilities,
)
from parley.statuses import broken_off, not_understood
from parley_tts.clouds.google_wire import (
    SAMPLE_RATE,
    is_classic,
    marked,
    marks_from,
    request,
    streaming_config,
    streaming_text,
)

WHO = "Google Text-to-Speech"
OPEN_SECONDS = 3.0
SPEAK_SECONDS = 10.0
"""A whole sentence takes no longer."""


class GoogleVoiceSettings(GoogleSettings):
    """What an agent profile can set."""

    voice: str = "en-US-Chirp3-HD-Charon"
    """A Chirp 3 HD voice, which streams; or a classic one (`en-US-Neural2-F`), with word times."""

    location: str = Field(default="global", pattern=r"^[a-z0-9-]+$")
    """Where Google speaks: `global`, `us`, `eu`, or a region."""

    speed: float | None = Field(default=None, ge=0.25, le=2.0)
    """How fast it speaks. Default: the voice's natural pace."""


class GoogleSynthesizer(Synthesizer):
    """Speaks with Google's voices; all sentences share a channel."""

    Settings = GoogleVoiceSettings
    settings: GoogleVoiceSettings
    capabilities = SynthesizerCapabilities()

    _channels: ClassVar[dict[tuple[object, ...], Any]] = {}
    """Open channels, by event loop and by what opens them."""

    def __init__(self, settings: ProviderSettings, language: str) -> None:
        super().__init__(settings, language)
        self._access = access(self.settings, WHO)
        if is_classic(self.settings.voice):
            # Not the class's but the voice's.
            self.capabilities = SynthesizerCapabilities(gives_word_times=True)  # type: ignore[misc]

    @classmethod
    async def shut_down(cls) -> None:
        """Close the channels."""
        loop = asyncio.get_running_loop()
        for place in [place for place in cls._channels if place[0] is loop]:
            await cls._channels.pop(place).close()

    async def create_speech(self, message: str) -> SynthesisResult:
        """Begin to speak."""
        result: SynthesisResult
        speak = self._sentence if is_classic(self.settings.voice) else self._stream

        async def chunks() -> AsyncGenerator[ChunkResult, None]:
            spoken = 0
            pieces = speak(message, result)
            async with self.settings.account(WHO).stream(), aclosing(pieces):
                async for pcm in pieces:
                    spoken += len(pcm)
                    yield ChunkResult(pcm)
            result.duration_ms = duration_ms(spoken, SAMPLE_RATE)
            yield ChunkResult(b"", is_last_chunk=True)

        result = SynthesisResult(message, SAMPLE_RATE, chunks())
        return result

    # --- Streaming

    async def _stream(self, message: str, _: SynthesisResult) -> AsyncGenerator[bytes, None]:
        is_silent = not any(letter.isalnum() for letter in message)
        if is_silent:  # Google calls that an error
            return
        heard = 0
        try:
            async with self._streaming_call() as call:
                await call.write(self._first())
                await call.write(streaming_text(message))
                await call.done_writing()
                async for response in call:
                    if response is None:  # what gRPC could not read
                        raise not_understood(WHO)
                    heard += len(response.audio_content)
                    yield response.audio_content
        except asyncio.InvalidStateError:  # the call ended while we wrote
            raise broken_off(WHO) from None
        except FAILURES as failure:
            raise error_from(failure, WHO) from None
        if not heard:
            raise broken_off(WHO)

    def _first(self) -> Any:
        settings = self.settings
        return streaming_config(settings.voice, self.language, settings.speed)

    @asynccontextmanager
    async def _streaming_call(self) -> AsyncIterator[Any]:
        access, channel = await self._open()
        client = TextToSpeechAsyncClient(
            transport=TextToSpeechGrpcAsyncIOTransport(channel=channel)
        )
        async with asyncio.timeout(OPEN_SECONDS):
            opened: Any = client.streaming_synthesize(
                retry=None, timeout=None, metadata=access.metadata
            )
            call = await opened
        try:
            yield call
        finally:
            call.cancel()

    # --- Whole sentences

    async def _sentence(self, message: str, result: SynthesisResult) -> AsyncGenerator[bytes, None]:
        settings = self.settings
        if not message.strip():
            return
        try:
            access, channel = await self._open()
            client = BetaClient(transport=BetaTransport(channel=channel))
            response = await client.synthesize_speech(
                request(marked(message), settings.voice, self.language, settings.speed),
                retry=None,
                timeout=SPEAK_SECONDS,
                metadata=access.metadata,
            )
        except FAILURES as failure:
            raise error_from(failure, WHO) from None
        if response is None:
            raise not_understood(WHO)
        if not response.audio_content:
            raise broken_off(WHO)
        points = [(point.mark_name, point.time_seconds) for point in response.timepoints]
        length_ms = duration_ms(len(response.audio_content), SAMPLE_RATE)
        result.marks += marks_from(message, points, length_ms)
        yield response.audio_content

    # ---

    async def _open(self) -> tuple[Access, Any]:
        """What each call has to say, and the channel."""
        self._access = self._access or await machine_access(WHO)
        settings = self.settings
        place = (asyncio.get_running_loop(), self._access, settings.location, settings.base_url)
        if place not in self._channels:
            self._channels[place] = self._access.channel(_host(settings), settings.base_url)
        return self._access, self._channels[place]


def _host(settings: GoogleVoiceSettings) -> str:
    name = "texttospeech.googleapis.com"
    return name if settings.location == "global" else f"{settings.location}-{name}"
