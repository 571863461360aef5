"""The keys that a profile can have beside `transcriber`, `llm` and `voice`: the usual names.

`deepgramApiKey: env:DEEPGRAM_API_KEY` says the same as `transcriber: {apiKey: ...}`, and holds for
every place in the profile that names the provider, fallbacks too. What a provider's own settings
say counts for more.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from parley.policies import Section
from parley.secret_refs import SecretRef
from parley.subjects import Stage


@dataclass(frozen=True)
class Sets:
    """The setting that a usual key stands for, and the providers, by stage, that have it."""

    setting: str
    stt: tuple[str, ...] = ()
    agent: tuple[str, ...] = ()
    tts: tuple[str, ...] = ()

    def holds_for(self, stage: Stage, provider: str) -> bool:
        """Whether that provider has the setting."""
        return (
            provider in {Stage.STT: self.stt, Stage.AGENT: self.agent, Stage.TTS: self.tts}[stage]
        )


_DEEPGRAM = ("deepgram", "deepgram-flux")
Secret = SecretRef | None
Text = str | None


class UsualKeys(Section):
    """Keys and settings of providers. Secrets say where the secret is: `env:NAME`, `file:/path`."""

    deepgram_api_key: Annotated[Secret, Sets("apiKey", stt=_DEEPGRAM)] = None
    deepgram_model: Annotated[Text, Sets("model", stt=_DEEPGRAM)] = None

    assemblyai_api_key: Annotated[Secret, Sets("apiKey", stt=("assemblyai",))] = None

    azure_speech_key: Annotated[Secret, Sets("apiKey", stt=("azure",), tts=("azure",))] = None
    azure_speech_region: Annotated[Text, Sets("region", stt=("azure",), tts=("azure",))] = None
    azure_voice_name: Annotated[Text, Sets("voice", tts=("azure",))] = None

    google_credentials: Annotated[Secret, Sets("credentials", stt=("google",), tts=("google",))] = (
        None
    )
    google_voice_name: Annotated[Text, Sets("voice", tts=("google",))] = None

    openai_api_key: Annotated[Secret, Sets("apiKey", agent=("openai",))] = None
    openai_model: Annotated[Text, Sets("model", agent=("openai",))] = None

    gemini_api_key: Annotated[Secret, Sets("apiKey", agent=("gemini",))] = None
    gemini_model: Annotated[Text, Sets("model", agent=("gemini",))] = None

    claude_api_key: Annotated[Secret, Sets("apiKey", agent=("claude",))] = None
    claude_model: Annotated[Text, Sets("model", agent=("claude",))] = None

    elevenlabs_api_key: Annotated[Secret, Sets("apiKey", tts=("elevenlabs",))] = None
    elevenlabs_voice_id: Annotated[Text, Sets("voiceId", tts=("elevenlabs",))] = None
    elevenlabs_model: Annotated[Text, Sets("model", tts=("elevenlabs",))] = None

    aws_access_key: Annotated[Secret, Sets("accessKey", tts=("polly",))] = None
    aws_secret_key: Annotated[Secret, Sets("secretKey", tts=("polly",))] = None
    aws_region: Annotated[Text, Sets("region", tts=("polly",))] = None
    polly_voice_id: Annotated[Text, Sets("voiceId", tts=("polly",))] = None

    playht_api_key: Annotated[Secret, Sets("apiKey", tts=("playht",))] = None
    playht_user_id: Annotated[Secret, Sets("userId", tts=("playht",))] = None
    playht_voice_id: Annotated[Text, Sets("voice", tts=("playht",))] = None

    def usual_settings(self, stage: Stage, provider: str) -> dict[str, Any]:
        """What the usual keys say of the provider's settings."""
        found = {}
        for name, field in UsualKeys.model_fields.items():
            sets = next(one for one in field.metadata if isinstance(one, Sets))
            value = getattr(self, name)
            if value is not None and sets.holds_for(stage, provider):
                found[sets.setting] = value
        return found
