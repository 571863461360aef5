"""How an agent takes turns: what stops it, and what it does when nobody speaks.

Keys in agents.yaml are camelCase: `minSpeechMs`.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel


class Section(BaseModel):
    """A part of agents.yaml."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, validate_by_alias=True
    )


class Interruption(Section):
    """What stops the bot, and what it does with words that do not."""

    enabled: bool = True
    """Whether the caller can interrupt by speaking. An explicit interrupt always works."""

    min_speech_ms: int = Field(default=0, ge=0, le=5000)
    """So much voice (ms) while the bot speaks silences it, for the time being. 0: as soon as it is
    certain that there is voice, and a moment later, after about 200 ms in all."""

    min_speech_ms_thinking: int = Field(default=200, ge=0, le=5000)
    """So much voice (ms) before the bot's first sound keeps it from beginning."""

    min_words: int = Field(default=1, ge=0, le=20)
    """Then so many words must be recognised for the reply to be cut for good; without them it
    goes on from the word where it stopped. 0: voice alone cuts it."""

    pause: bool = True
    """Whether the bot falls silent when there is voice. Otherwise it speaks on until it is
    clear that the caller means to interrupt."""

    decider: str = "words"
    """Who decides whether the caller means it: see docs/turn-taking.md."""

    backchannels: list[str] | None = None
    """What a listener says who does not want the turn. Default: those of the call's language."""

    while_protected: Literal["answer", "drop"] = "answer"
    """What the caller says while the bot may not be interrupted: answered afterwards, or not."""

    def but(self, other: "Interruption | None") -> "Interruption":
        """This policy, with what `other` says in so many words taking its place."""
        return self.model_copy(update=other.model_dump(exclude_unset=True)) if other else self


class Message(Section):
    """Something that the bot says of itself. In the file, its text alone will do."""

    text: str = ""
    """The words. Empty: nothing is said."""

    interruption: Interruption | None = None
    """What stops this message, where that differs from the profile's `interruption`."""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"text": value} if isinstance(value, str) else value

    def __bool__(self) -> bool:
        return bool(self.text)


class Idle(Section):
    """What happens when the caller says nothing."""

    after_seconds: float = Field(default=30.0, ge=0, le=3600)
    """So much silence of both sides (s) counts as idle. 0: never."""

    questions: list[Message] = [
        Message(text="Are you still there?"),
        Message(text="I can't hear you. Are you still on the line?"),
    ]
    """What the caller is asked, one after the other, each after that time."""

    goodbye: Message = Message(text="I'll hang up now. Goodbye!")
    """What is said after the last question has had no answer; then the call ends."""
