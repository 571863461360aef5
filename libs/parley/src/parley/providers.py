"""What a transcriber, an agent and a synthesizer are.

A provider is a small class with one real method, its settings and its capabilities. One
instance serves every job with the same settings; a transcriber is made anew for each call.
Providers are found by entry points, so anyone can add one without touching this repository:

    [project.entry-points."parley.synthesizers"]
    myvoice = "my_package:MySynthesizer"
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from importlib.metadata import EntryPoint, entry_points
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from parley.audio import HEARING_RATE as HEARING_RATE
from parley.faults import InputLost as InputLost
from parley.faults import ProviderError as ProviderError
from parley.marks import Mark, message_up_to
from parley.messages import ChatMessage, Retry, ToolDescription
from parley.messages import ToolCall as ToolCall
from parley.patience import Patience as Patience
from parley.subjects import Stage

ENTRY_POINTS = {
    Stage.STT: "parley.transcribers",
    Stage.AGENT: "parley.agents",
    Stage.TTS: "parley.synthesizers",
}


class ProviderSettings(BaseModel):
    """Settings of a provider, as the agent profile gives them. Unknown ones are an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Provider(ABC):
    """What all three kinds have in common."""

    Settings: ClassVar[type[ProviderSettings]] = ProviderSettings

    @classmethod
    async def warm_up(cls) -> None:
        """Load what is needed for the first job to be as quick as the second.

        A worker calls it once, before it offers capacity. Must not block the event loop.
        """

    @classmethod
    async def shut_down(cls) -> None:
        """Let go of what `warm_up` took."""


# --- Transcribers ------------------------------------------------------------------------


class Cue(Enum):
    """What the worker tells a transcriber between two chunks of audio, from voice activity."""

    SPEECH_STARTED = "speech_started"
    """Speech has begun, within the last `cue_lag_ms` of audio."""
    PAUSE = "pause"
    """Speech has just stopped and may be over: a good moment for a partial transcription."""
    FINALIZE = "finalize"
    """Speech is over: make the audio so far a final transcription now."""


CUE_LAG_MS = 300
"""SPEECH_STARTED comes at most this much audio after the true onset."""


@dataclass(frozen=True)
class Heard:
    """A transcriber's result: partial (replaced by the next) or final (stays).

    `end_ms`: where a final ends, in ms from the first byte that `transcribe` was yielded; a
    transcriber that takes over goes on from there. Finals that were not asked for should say it,
    and are never taken for the answer to a FINALIZE after that place. None: up to the FINALIZE
    that this final answers, or else up to the last byte so far. A partial has all words up to
    there, and with None about up to now: the worker goes by its words only in a later pause.

    `sentence_end`: how likely it is, from 0 to 1, that a sentence ends with these words, where
    the transcriber can tell by more than the words themselves.
    """

    message: str
    is_final: bool
    confidence: float = 1.0
    took_ms: float = 0.0
    end_ms: float | None = None
    sentence_end: float | None = None


@dataclass(frozen=True)
class TurnEnded:
    """A transcriber that detects the end of turn itself says so with this."""


@dataclass(frozen=True)
class TurnProbablyEnded:
    """A transcriber that thinks that the turn is over, and has all of its words, says this."""


@dataclass(frozen=True)
class TurnResumed:
    """After TurnProbablyEnded: the caller goes on after all."""


Emit = Callable[[Heard | TurnProbablyEnded | TurnResumed | TurnEnded], None]


@dataclass(frozen=True)
class TranscriberCapabilities:
    """What the worker need not do for this transcriber."""

    detects_end_of_turn: bool = False
    """It says TurnEnded itself. Should it not, long silence ends the turn all the same."""
    gives_partials: bool = True
    """It gives text before it is asked for a final."""
    punctuates: bool = False
    """Its text has a full stop or a question mark where a sentence ends, and none elsewhere."""


class Transcriber(Provider):
    """Hears one conversation. The one real method is `transcribe`."""

    capabilities: ClassVar[TranscriberCapabilities] = TranscriberCapabilities()

    def __init__(self, settings: ProviderSettings, language: str) -> None:
        self.settings = settings
        self.language = language
        self._muted = False

    @abstractmethod
    async def transcribe(self, audio: AsyncIterator[bytes | Cue], emit: Emit) -> None:
        """Hear `audio` to its end and `emit` what was said.

        `audio` yields PCM16 mono at 16 kHz in chunks of any size, in real time, and cues
        between them. After FINALIZE a final `Heard` must follow, an empty one where nothing
        was said. Returns when `audio` ends; raises ProviderError where hearing is lost.
        """

    @property
    def is_working(self) -> bool:
        """Whether it is at work on what it was given. While it is, a final that is late is waited
        for; one that only waits for a server says no, and is given up after a while.
        """
        return False

    def send_audio(self, chunk: bytes) -> bytes:
        """The chunk as the transcriber gets it: silence of the same length while muted."""
        return self.create_silent_chunk(len(chunk)) if self._muted else chunk

    def mute(self) -> None:
        """Hear silence from here on."""
        self._muted = True

    def unmute(self) -> None:
        """Hear the caller again."""
        self._muted = False

    @staticmethod
    def create_silent_chunk(size: int) -> bytes:
        """`size` bytes of silent PCM16."""
        return bytes(size)


# --- Agents ------------------------------------------------------------------------------


@dataclass(frozen=True)
class AgentCapabilities:
    """What the worker need not do for this agent."""

    continues_reply: bool = False
    """It goes on with a reply that the history ends with. It may repeat that; the worker strips
    it. Without this, the worker has the whole reply written anew and drops what is known."""
    reads_ahead: bool = False
    """`prepare` is worth its while with what the caller has said so far of a turn, too."""
    calls_tools: bool = False
    """It takes `tools`, and yields a ToolCall for each that the model wants called."""


@dataclass(frozen=True)
class Usage:
    """What a reply has cost, in the provider's tokens."""

    input_tokens: int = 0
    output_tokens: int = 0


ReplyPiece = str | ToolCall | Usage
"""What an agent yields: text, a whole tool call, and once, near the end, what it has used."""


class Agent(Provider):
    """Writes replies. The one real method is `generate_response`."""

    capabilities: ClassVar[AgentCapabilities] = AgentCapabilities()
    patience = Patience(first=5.0, between=5.0)
    """The longest silence (s) before the first text and between two pieces; then it is closed."""

    def __init__(self, settings: ProviderSettings) -> None:
        self.settings = settings

    @abstractmethod
    def generate_response(
        self,
        history: Sequence[ChatMessage],
        *,
        conversation_id: str,
        is_interrupt: bool = False,
        tools: Sequence[ToolDescription] = (),
    ) -> AsyncGenerator[ReplyPiece, None]:
        """Yield the reply to `history` piece by piece, as soon as each is there.

        `history` ends with the caller's message, with a tool's result, or, with
        `continues_reply`, with the beginning of the reply. `is_interrupt`: the caller's message
        cut off the last reply. `tools` come only to an agent that `calls_tools`; it yields the
        calls last, and is asked again with their results. Closing the generator must stop the
        work behind it at once. Raises ProviderError where the reply could not be written to its
        end: a generator that just ends has written all of it.
        """

    async def prepare(self, history: Sequence[ChatMessage]) -> None:
        """A call begins with this history: do what makes its first reply quicker, if anything.

        With `reads_ahead` it is also called while the caller speaks: the last message is then the
        caller's, as far as it was heard.
        """


# --- Synthesizers ------------------------------------------------------------------------


@dataclass(frozen=True)
class ChunkResult:
    """A chunk of speech: PCM16 mono at the result's sample rate."""

    chunk: bytes
    is_last_chunk: bool = False
    """All is said. Without a last chunk, which may be empty, speech counts as broken off."""


@dataclass
class SynthesisResult:
    """Speech in the making.

    `chunk_generator` yields it, up to a chunk with `is_last_chunk`; `marks` fills up with it,
    each mark before the audio that it tells of. `duration_ms` is set when all of it is there.
    """

    message: str
    sample_rate: int
    chunk_generator: AsyncGenerator[ChunkResult, None]
    marks: list[Mark] = field(default_factory=list)
    duration_ms: float | None = None

    def get_message_up_to(self, seconds: float) -> str:
        """The part of the message spoken in the first `seconds` of the audio."""
        return message_up_to(self.message, self.marks, seconds * 1000, self.duration_ms)


@dataclass(frozen=True)
class SynthesizerCapabilities:
    """What a synthesizer's speech comes with."""

    gives_word_times: bool = False


class Synthesizer(Provider):
    """Speaks. The one real method is `create_speech`."""

    capabilities: ClassVar[SynthesizerCapabilities] = SynthesizerCapabilities()
    patience = Patience(first=3.0, between=3.0)
    """The longest silence (s) before the first chunk and between two; then it is closed."""

    def __init__(self, settings: ProviderSettings, language: str) -> None:
        self.settings = settings
        self.language = language

    @abstractmethod
    async def create_speech(self, message: str) -> SynthesisResult:
        """Begin to speak `message`, a sentence or a clause. Raises ProviderError.

        Closing the result's generator must stop the work behind it.
        """


# --- Finding them ------------------------------------------------------------------------

_loaded: dict[tuple[Stage, str], type[Provider]] = {}


class UnknownProvider(ProviderError):
    """No provider of that name is installed for the stage."""


def names(stage: Stage) -> list[str]:
    """The providers installed for a stage."""
    return sorted(_entry_points(stage))


def load(stage: Stage, name: str) -> type[Provider]:
    """The class of a provider; imports it only now. Raises UnknownProvider."""
    found = _entry_points(stage).get(name)
    if found is None:
        known = ", ".join(names(stage)) or "none"
        raise UnknownProvider(
            f"no {stage} provider {name!r} is installed here; installed: {known}", Retry.NOW
        )
    try:
        provider = found.load()
    except ImportError as error:
        raise UnknownProvider(
            f"the {stage} provider {name!r} needs {error.name}, which is not installed: "
            f"pip install '{_package(found)}'",
            Retry.NOW,
        ) from error
    if not (isinstance(provider, type) and issubclass(provider, Provider)):
        raise UnknownProvider(f"{found.value} is not a parley Provider", Retry.NEVER)
    _loaded[stage, name] = provider
    return provider


def is_new(stage: Stage, name: str) -> bool:
    """Whether the provider is installed, and this process has not loaded it yet."""
    return (stage, name) not in _loaded and name in _entry_points(stage)


def loaded(stage: Stage) -> list[type[Provider]]:
    """The providers of a stage that this process has loaded: they are to be shut down."""
    return [provider for (where, _), provider in _loaded.items() if where is stage]


def settings_for(provider: type[Provider], settings: dict[str, Any]) -> ProviderSettings:
    """The provider's settings, validated. Raises ProviderError that names the bad one."""
    try:
        return provider.Settings.model_validate(settings)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        allowed = ", ".join(provider.Settings.model_fields) or "none"
        raise ProviderError(
            f"{provider.__name__}: setting {where}: {first['msg']}; settings: {allowed}",
            Retry.NEVER,
        ) from error


def _package(point: EntryPoint) -> str:
    """What to install for a provider: its package, with the extra of its name if it has one."""
    if point.dist is None:
        return point.module
    extras = point.dist.metadata.get_all("Provides-Extra") or []
    wanted = [extra for extra in extras if point.name.split("-")[0] == extra]
    return f"{point.dist.name}[{wanted[0]}]" if wanted else point.dist.name


def _entry_points(stage: Stage) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ENTRY_POINTS[stage])}
