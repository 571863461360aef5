"""The embedded transcriber: Moonshine Tiny, English, on the CPU, with no key and no network."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import ClassVar

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from parley.audio import HEARING_RATE, to_float
from parley.messages import Retry
from parley.providers import Cue, Emit, ProviderError, ProviderSettings, Transcriber
from parley_stt.engines.live import LiveRecognition
from parley_stt.engines.moonshine_onnx import Moonshine
from parley_stt.engines.pool import RecognitionPool
from parley_stt.engines.recognition import Recognition, without_hallucinations


class MoonshineSettings(ProviderSettings):
    """What an agent profile can set."""

    partial_ms: int = Field(default=700, ge=200)
    """Speech between two partial transcriptions, in ms. Fewer come while others need the CPU."""


class MoonshineProcess(BaseSettings):
    """What holds for the process: from the environment, PARLEY_MOONSHINE_<FIELD>."""

    model_config = SettingsConfigDict(env_prefix="PARLEY_MOONSHINE_", extra="ignore")

    threads: int = Field(default=1, ge=1)
    """Recognitions at the same time. Each keeps one core busy."""


class MoonshineTranscriber(Transcriber):
    """Hears English. All conversations of a process share the model and its threads."""

    Settings = MoonshineSettings
    settings: MoonshineSettings

    _pool: ClassVar[RecognitionPool | None] = None
    _loading: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, settings: ProviderSettings, language: str) -> None:
        super().__init__(settings, language)
        if language.lower().partition("-")[0] != "en":
            raise ProviderError(f"moonshine hears English only, not {language}", Retry.NEVER)
        self._live: LiveRecognition | None = None

    @property
    def is_working(self) -> bool:
        """Whether this call's audio is being recognised, or waits for that of others."""
        return self._live is not None and self._live.is_working

    async def transcribe(self, audio: AsyncIterator[bytes | Cue], emit: Emit) -> None:
        """Hear `audio` to its end and emit what was said."""
        pool = await asyncio.to_thread(self._shared_pool)
        self._live = LiveRecognition(pool, emit, self.settings.partial_ms)
        await self._live.run(audio)

    @classmethod
    async def warm_up(cls) -> None:
        """Load the model and run it once. Raises ProviderError where it is not installed."""
        await asyncio.to_thread(cls._shared_pool)

    @classmethod
    async def shut_down(cls) -> None:
        """Let the model and its threads go."""
        pool, cls._pool = cls._pool, None
        if pool is not None:
            pool.close()

    @classmethod
    def _shared_pool(cls) -> RecognitionPool:
        with cls._loading:
            if cls._pool is None:
                cls._pool = RecognitionPool(_load(), MoonshineProcess().threads)
            return cls._pool


def _load() -> Callable[[bytes], Recognition]:
    model = Moonshine()

    def recognise(pcm: bytes) -> Recognition:
        return without_hallucinations(model.recognise(to_float(pcm)))

    recognise(bytes(2 * HEARING_RATE))
    return recognise
