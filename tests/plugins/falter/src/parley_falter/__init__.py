"""A third-party synthesizer, found by its entry point: it really speaks, and then fails.

Tests use it where a voice must be lost in mid-word; what it says until then is the embedded
voice's.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Literal

from pydantic import Field

from parley.audio import BYTES_PER_SAMPLE, bytes_for
from parley.messages import Retry
from parley.providers import (
    ChunkResult,
    Patience,
    ProviderError,
    ProviderSettings,
    SynthesisResult,
    Synthesizer,
)
from parley_tts.providers.hibari import HibariSettings, HibariSynthesizer


class FalterSettings(ProviderSettings):
    after_ms: int = Field(default=0, ge=0)
    """So much speech comes of each message before it fails."""

    how: Literal["now", "later", "hang", "stop"] = "now"
    """It says so (to be tried again now, or later), says nothing any more, or just ends."""


class FalterSynthesizer(Synthesizer):
    Settings = FalterSettings
    settings: FalterSettings
    patience = Patience(first=1.0, between=1.0)

    def __init__(self, settings: ProviderSettings, language: str) -> None:
        super().__init__(settings, language)
        self._voice = HibariSynthesizer(HibariSettings(), language)

    async def create_speech(self, message: str) -> SynthesisResult:
        whole = await self._voice.create_speech(message)
        pcm = b"".join([chunk.chunk async for chunk in whole.chunk_generator])
        begun = pcm[: bytes_for(self.settings.after_ms, whole.sample_rate)]

        async def chunks() -> AsyncGenerator[ChunkResult, None]:
            if begun:
                yield ChunkResult(begun)
            match self.settings.how:
                case "now" | "later" as how:
                    raise ProviderError("the voice falters", Retry(how))
                case "hang":
                    await asyncio.Event().wait()

        said_ms = len(begun) / BYTES_PER_SAMPLE / whole.sample_rate * 1000
        marks = [mark for mark in whole.marks if mark.start_ms <= said_ms]
        return SynthesisResult(message, whole.sample_rate, chunks(), marks)
