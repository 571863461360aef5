"""Agent profiles: who answers a call, with which providers and manners. Read from agents.yaml."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, Field, ValidationError

from parley.policies import Idle, Interruption, Message, Section
from parley.secret_refs import NOT_A_REFERENCE, Settings
from parley.subjects import Stage
from parley.tools import Tools
from parley.usual_keys import UsualKeys

DEFAULT_PROMPT = (
    "You are a friendly voice assistant. Answer in one or two short spoken sentences. "
    "Do not use lists or markdown."
)
APOLOGY = "I'm sorry, I have a technical problem. Please say that again in a moment."
REPEAT_REQUEST = "I'm sorry, I didn't catch that. Could you say it again?"
HOLD_MESSAGE = "One moment, please. I have lost the connection and will be right back."


class ProfileError(ValueError):
    """agents.yaml cannot be used. The text names the file, the line and what is allowed."""


class ProviderChoice(Section):
    """A provider and its settings. Keys in the file: `provider`, `settings`."""

    provider: str = Field(min_length=1)
    """The name of an installed provider of the stage."""

    settings: Settings = {}
    """Its settings: see docs/providers.md."""


class Profile(UsualKeys):
    """One agent. Keys in the file are camelCase: `transcriberProvider`."""

    transcriber_provider: str = "moonshine"
    """Who hears: the name of an installed transcriber."""

    llm_provider: str = "llama"
    """Who writes the reply: the name of an installed agent."""

    voice_provider: str = "hibari"
    """Who speaks: the name of an installed synthesizer."""

    transcriber: Settings = {}
    """Settings of the transcriber: see docs/providers.md."""

    llm: Settings = {}
    """Settings of the language model."""

    voice: Settings = {}
    """Settings of the synthesizer, among them the voice's name."""

    transcriber_fallbacks: list[ProviderChoice] = []
    """Who hears when the transcriber cannot; tried in order. So with the next two."""

    llm_fallbacks: list[ProviderChoice] = []
    """Who writes the reply when the agent cannot."""

    voice_fallbacks: list[ProviderChoice] = []
    """Who speaks when the synthesizer cannot."""

    prompt: str = DEFAULT_PROMPT
    """What the language model is told about itself."""

    greeting: Message = Message()
    """What the bot says first. Empty: it waits for the caller."""

    apology: str = APOLOGY
    """What the caller hears when a reply is lost and nobody can make it. Empty: nothing."""

    repeat_request: Message = Message(text=REPEAT_REQUEST)
    """What is said when the caller has spoken and no word of it was understood. Empty: nothing."""

    hold_message: str = HOLD_MESSAGE
    """What the caller hears while the engine has lost its message bus. Empty: nothing."""

    language: str = Field(default="en-US", pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]+)*$")
    """The call's language, as BCP 47."""

    delivery: Literal["sentence", "full"] = "sentence"
    """`sentence`: speak while the model still writes. `full`: buffer the whole reply first."""

    echo: Literal["client", "mute", "cancel"] = "client"
    """`client`: the caller's side cancels echo. `mute`: the bot hears nothing while it speaks.
    `cancel`: the engine takes the bot's own voice out of what it hears."""

    endpointing_ms: int = Field(default=320, ge=100, le=5000)
    """So much silence (ms) ends a turn that seems complete."""

    endpointing_max_ms: int = Field(default=1800, ge=100, le=10_000)
    """So much silence (ms) ends a turn that does not. With at most `endpointingMs`, silence alone
    decides."""

    early_reply: bool = True
    """Whether a reply is begun when the turn is probably over. It is heard when that is certain,
    and dropped when the caller goes on."""

    recording: bool = True
    """Whether calls are recorded, where the gateway keeps their sound at all
    (`PARLEY_RECORDINGS`: docs/operations-by-hand.md)."""

    interruption: Interruption = Interruption()
    """What stops the bot."""

    idle: Idle = Idle()
    """What happens when the caller says nothing."""

    tools: Tools = []
    """What the agent can do beside speaking: see docs/tools.md."""

    @property
    def interruptions(self) -> list[Interruption]:
        """The policies that may be in force: the profile's, and those of its messages."""
        messages = [self.greeting, self.repeat_request, *self.idle.questions, self.idle.goodbye]
        own = [one.interruption for one in messages if one.interruption]
        return [self.interruption, *(self.interruption.but(one) for one in own)]

    def candidates(self, stage: Stage) -> list[ProviderChoice]:
        """Who can do the work of `stage`, in the order to be tried: the main provider first."""
        match stage:
            case Stage.STT:
                main, settings = self.transcriber_provider, self.transcriber
                fallbacks = self.transcriber_fallbacks
            case Stage.AGENT:
                main, settings, fallbacks = self.llm_provider, self.llm, self.llm_fallbacks
            case Stage.TTS:
                main, settings, fallbacks = self.voice_provider, self.voice, self.voice_fallbacks
        named = [ProviderChoice(provider=main, settings=settings), *fallbacks]
        return [self._with_usual_settings(stage, choice) for choice in named]

    def _with_usual_settings(self, stage: Stage, choice: ProviderChoice) -> ProviderChoice:
        usual = self.usual_settings(stage, choice.provider)
        return choice.model_copy(update={"settings": {**usual, **choice.settings}})


class Profiles(Section):
    """The whole file: agents by name."""

    agents: dict[str, Profile] = Field(min_length=1)

    def get(self, name: str) -> Profile | None:
        """The profile of that name."""
        return self.agents.get(name)


def load(path: Path | None) -> Profiles:
    """The profiles in the file; without a path, one named `default` with the defaults.

    Raises ProfileError.
    """
    if path is None:
        return Profiles(agents={"default": Profile()})
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ProfileError(f"cannot read {path}: {error.strerror}") from None
    return parse(text, str(path))


def parse(text: str, name: str = "agents.yaml") -> Profiles:
    """The profiles in `text`; `name` is the file's, for messages. Raises ProfileError."""
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ProfileError(f"{name}, line {line}: not YAML: {error.problem}") from None
    if not isinstance(data, dict):
        raise ProfileError(f"{name}, line 1: must begin with 'agents:'")
    try:
        return Profiles.model_validate(data)
    except ValidationError as error:
        problems = [_explain(dict(one), tree, name) for one in error.errors(include_url=False)]
        raise ProfileError("\n".join(problems)) from None


def _explain(error: Mapping[str, Any], tree: yaml.Node | None, name: str) -> str:
    path = _without_kinds(tree, [str(part) for part in error["loc"]])
    line, reached = _find(tree, path)
    what = ".".join(path)
    shown = reached and error["type"] != NOT_A_REFERENCE and _is_plain(error.get("input"))
    got = f", not {error['input']!r}" if shown else ""
    if error["type"] == "extra_forbidden":
        allowed = _allowed_keys([str(part) for part in error["loc"]][:-1])
        close = difflib.get_close_matches(path[-1], allowed, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        return f"{name}, line {line}: unknown key {what!r}{hint} Allowed: {', '.join(allowed)}"
    if error["type"] == "model_type":
        allowed = _allowed_keys([str(part) for part in error["loc"]])
        return f"{name}, line {line}: {what}: must have keys{got}. Allowed: {', '.join(allowed)}"
    return f"{name}, line {line}: {what}: {_lower(error['msg'])}{got}"


def _without_kinds(node: yaml.Node | None, path: list[str]) -> list[str]:
    """The path without the `type` of a section that has one, which pydantic puts after it."""
    kept: list[str] = []
    for part in path:
        kind = _entry(node, "type") if isinstance(node, yaml.MappingNode) else None
        if kind is not None and kind[1].value == part:
            continue
        kept.append(part)
        found = _entry(node, part)
        node = None if found is None else found[1]
    return kept


def _find(node: yaml.Node | None, path: list[str]) -> tuple[int, bool]:
    """The line of the deepest part of `path` that is in the file, and whether all of it is."""
    line = 1
    for part in path:
        found = _entry(node, part)
        if found is None:
            return line, False
        line, node = found
    return line, True


def _entry(node: yaml.Node | None, part: str) -> tuple[int, yaml.Node] | None:
    """The line and the value of a mapping's key, or of a list's item."""
    if isinstance(node, yaml.SequenceNode):
        item = node.value[int(part)]
        return item.start_mark.line + 1, item
    for key, value in node.value if isinstance(node, yaml.MappingNode) else []:
        if key.value == part:
            return key.start_mark.line + 1, value
    return None


def _allowed_keys(path: list[str]) -> list[str]:
    """The keys that the section at `path` can have."""
    kind: Any = Profiles
    for part in path:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            fields = {field.alias: field.annotation for field in kind.model_fields.values()}
            kind = fields[part]
        elif get_origin(kind) is Annotated:
            kind = _of_type(get_args(get_args(kind)[0]), part)
        else:
            kind = get_args(kind)[-1]
        if NoneType in get_args(kind):
            kind = get_args(kind)[0]
    return [field.alias or name for name, field in kind.model_fields.items()]


def _of_type(kinds: tuple[Any, ...], name: str) -> Any:
    """Of sections that differ in their `type`, the one of that name."""
    return next(kind for kind in kinds if name in get_args(kind.model_fields["type"].annotation))


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float | bool) and len(str(value)) < 60


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
