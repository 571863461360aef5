"""A third-party synthesizer, found by its entry point: the embedded voice without word times.

Most voices on the market give none. Tests use it where the engine has to do without.
"""

from parley.providers import (
    Patience,
    ProviderSettings,
    SynthesisResult,
    Synthesizer,
    SynthesizerCapabilities,
)
from parley_tts.providers.hibari import HibariSettings, HibariSynthesizer


class UntimedSynthesizer(Synthesizer):
    Settings = HibariSettings
    settings: HibariSettings
    capabilities = SynthesizerCapabilities(gives_word_times=False)
    patience = Patience(first=10.0, between=10.0)

    def __init__(self, settings: ProviderSettings, language: str) -> None:
        super().__init__(settings, language)
        self._voice = HibariSynthesizer(settings, language)

    @classmethod
    async def warm_up(cls) -> None:
        await HibariSynthesizer.warm_up()

    async def create_speech(self, message: str) -> SynthesisResult:
        timed = await self._voice.create_speech(message)
        return SynthesisResult(message, timed.sample_rate, timed.chunk_generator)
