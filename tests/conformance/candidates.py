"""Every provider that has to pass the suite, and the server that stands in for its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module

from contract.servers.base import ContractServer
from parley.subjects import Stage

_EMBEDDED = "it asks no server"
_FAULTS = ("unauthorized", "forbidden", "busy", "broken", "slow", "malformed")
NO_SERVER = dict.fromkeys(
    [*_FAULTS, "reset", "reset_for_ever", "silent_stop", "late_audio", "late_text"], _EMBEDDED
)
NO_TOOLS = {"tool": "it is too small to call tools", "parallel_tools": "it calls no tools"}
NO_WORD_TIMES = {"word_times": "its speech comes without word times"}


@dataclass(frozen=True)
class Candidate:
    """A provider under test. `not_applicable`: cases that it cannot have, and why.

    `variant`: it is tested with other `settings` too.
    """

    stage: Stage
    name: str
    server: str = ""
    variant: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)
    not_applicable: Mapping[str, str] = field(default_factory=dict)

    def make_server(self) -> ContractServer:
        """A server of the provider's protocol, not started yet."""
        module, _, name = self.server.partition(":")
        made: ContractServer = getattr(import_module(f"contract.servers.{module}"), name)()
        return made

    def __str__(self) -> str:
        return "-".join(part for part in (self.stage, self.name, self.variant) if part)


CANDIDATES = [
    Candidate(Stage.STT, "moonshine", not_applicable=NO_SERVER),
    Candidate(Stage.STT, "deepgram", "deepgram:DeepgramServer"),
    Candidate(Stage.STT, "deepgram-flux", "deepgram:DeepgramServer"),
    Candidate(Stage.STT, "assemblyai", "assemblyai:AssemblyAIServer"),
    Candidate(Stage.STT, "azure", "azure:AzureServer"),
    Candidate(Stage.STT, "google", "google:GoogleServer"),
    Candidate(Stage.AGENT, "llama", not_applicable={**NO_SERVER, **NO_TOOLS}),
    Candidate(Stage.AGENT, "openai", "openai_api:OpenAIServer"),
    Candidate(Stage.AGENT, "gemini", "gemini_api:GeminiServer"),
    Candidate(Stage.AGENT, "claude", "anthropic_api:AnthropicServer"),
    Candidate(Stage.TTS, "hibari", not_applicable=NO_SERVER),
    Candidate(Stage.TTS, "elevenlabs", "elevenlabs:ElevenLabsServer"),
    Candidate(Stage.TTS, "azure", "azure:AzureServer"),
    Candidate(Stage.TTS, "google", "google:GoogleServer", not_applicable=NO_WORD_TIMES),
    Candidate(
        Stage.TTS,
        "google",
        "google:GoogleServer",
        variant="classic",
        settings={"voice": "en-US-Neural2-F"},
        not_applicable={"cancel": "its sentence comes whole"},
    ),
    Candidate(Stage.TTS, "polly", "polly:PollyServer"),
    Candidate(Stage.TTS, "playht", "playht:PlayHTServer", not_applicable=NO_WORD_TIMES),
]


def of(stage: Stage) -> list[Candidate]:
    """The candidates of a stage."""
    return [one for one in CANDIDATES if one.stage is stage]
