"""The embedded voice: English, on the worker's own CPU, with no key and no network."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Lock
from typing import ClassVar, Literal, TypeVar

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from parley.audio import duration_ms, from_float
from parley.marks import Mark
from parley.messages import Retry
from parley.providers import (
    ChunkResult,
    Patience,
    ProviderError,
    ProviderSettings,
    SynthesisResult,
    Synthesizer,
    SynthesizerCapabilities,
)
from parley_tts.hibari_engine import SAMPLE_RATE, HibariEngine
from parley_tts.word_times import place_words

Result = TypeVar("Result")


class HibariConfig(BaseSettings):
    """What the environment can say."""

    model_config = SettingsConfigDict(env_prefix="PARLEY_", extra="ignore")

    tts_threads: int = Field(default=1, gt=0)
    """PARLEY_TTS_THREADS: how many sentences the embedded voice speaks at once."""


class HibariSettings(ProviderSettings):
    """Settings of the embedded voice."""

    voice: Literal["heart"] = "heart"
    """The voice. Only `heart` (American, female) comes with the package."""

    speed: float = Field(default=1.0, ge=0.5, le=2.0)
    """How fast it speaks: 1.0 is its natural pace, 2.0 twice as fast."""


class HibariSynthesizer(Synthesizer):
    """Speaks sentence by sentence; one loaded engine serves the whole process."""

    Settings = HibariSettings
    settings: HibariSettings
    capabilities = SynthesizerCapabilities(gives_word_times=True)
    patience = Patience(first=10.0, between=10.0)

    _engine: ClassVar[HibariEngine | None] = None
    _pool: ClassVar[ThreadPoolExecutor | None] = None
    _loading: ClassVar[Lock] = Lock()

    def __init__(self, settings: ProviderSettings, language: str) -> None:
        super().__init__(settings, language)
        if language.split("-")[0] != "en":
            raise ProviderError(
                f"the voice hibari speaks English only, not {language}", Retry.NEVER
            )

    @classmethod
    async def warm_up(cls) -> None:
        """Load the voice and speak once."""
        engine = await cls._loaded()
        await cls._in_pool(partial(engine.say, "Ready when you are.", 1.0))

    @classmethod
    async def shut_down(cls) -> None:
        """Let go of the voice; what is being spoken is finished first."""
        pool, cls._pool, cls._engine = cls._pool, None, None
        if pool is not None:
            await asyncio.to_thread(pool.shutdown, cancel_futures=True)

    async def create_speech(self, message: str) -> SynthesisResult:
        """Begin to speak; each sentence of the message is a chunk."""
        engine = await self._loaded()

        async def chunks() -> AsyncGenerator[ChunkResult, None]:
            spoken_bytes = 0
            pieces = await self._in_pool(partial(engine.pieces, message))
            for piece in pieces:
                spoken = await self._in_pool(partial(engine.say, piece.text, self.settings.speed))
                if spoken is None:
                    continue
                before_ms = duration_ms(spoken_bytes, SAMPLE_RATE)
                result.marks += [
                    _moved(mark, piece.offset, before_ms)
                    for mark in place_words(piece.text, spoken.words)
                ]
                pcm = from_float(spoken.samples)
                spoken_bytes += len(pcm)
                yield ChunkResult(pcm)
            result.duration_ms = duration_ms(spoken_bytes, SAMPLE_RATE)
            # Empty: whether a piece has any sound is known only once it is spoken.
            yield ChunkResult(b"", is_last_chunk=True)

        result = SynthesisResult(message, SAMPLE_RATE, chunks())
        return result

    @classmethod
    async def _loaded(cls) -> HibariEngine:
        if cls._engine is not None:
            return cls._engine
        return await cls._in_pool(cls._load_once)

    @classmethod
    def _load_once(cls) -> HibariEngine:
        with cls._loading:
            engine = cls._engine or HibariEngine()
            cls._engine = engine
            return engine

    @classmethod
    async def _in_pool(cls, work: Callable[[], Result]) -> Result:
        if cls._pool is None:
            cls._pool = ThreadPoolExecutor(HibariConfig().tts_threads, "hibari")
        return await asyncio.get_running_loop().run_in_executor(cls._pool, work)


def _moved(mark: Mark, offset: int, ms: float) -> Mark:
    return Mark(mark.word, mark.offset + offset, mark.start_ms + ms, mark.end_ms + ms)
