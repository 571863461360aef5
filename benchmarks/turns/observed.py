"""What was seen of one case, and nothing else: the matter that scoring works on."""

from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.turns.cases import OVERLAPPING, Case
from benchmarks.turns.playout import Frame, Span
from parley_cli.events import Event
from parley_cli.wav import Samples

TOLD = {
    "speech_started": "voice",
    "paused": "paused",
    "transcription": "words",
    "backchannel": "backchannel",
    "resumed": "resumed",
    "interrupted": "interrupted",
    "reply": "reply",
    "speaking": "speaking",
}
"""Kinds of events that tell how a case went, and what they are called for short."""


@dataclass(frozen=True)
class Reply:
    """A reply of the bot's that is over."""

    script: str
    """All of what it would have said."""
    claimed: str
    """What `spoken` says that was heard."""
    audio: Samples
    """What the caller's device played of it."""
    resumes: int = 0
    """How often it went on after a tentative pause."""
    heard: str = ""
    """What an independent recogniser hears in the audio."""

    def with_heard(self, heard: str) -> "Reply":
        """The same with what was heard."""
        return replace(self, heard=heard)


@dataclass(frozen=True)
class Observation:
    """One case as the caller's device had it. Times are seconds of time.monotonic."""

    case: Case
    onset: float
    """When the sound's first sample was sent."""
    end: float
    """When its last was."""
    watched_to: float
    turn: int = -1
    """The bot's turn in which the sound came; -1 where it was silent."""
    frames: list[Frame] = field(default_factory=list)
    """The bot's audio, from before the onset on."""
    played: list[Span] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    """What the server said, from the onset on."""
    reply: Reply | None = None
    """The reply that was cut off."""
    lost: str = ""
    """Why there is nothing to score; empty where there is."""

    def first(self, kind: str, **fields: Any) -> Event | None:
        """The first event of that kind with those fields."""
        return next((one for one in self.of(kind, **fields)), None)

    def of(self, kind: str, **fields: Any) -> list[Event]:
        """The events of that kind with those fields."""
        return [
            one for one in self.events if one.type == kind and fields.items() <= one.data.items()
        ]

    @property
    def course(self) -> str:
        """The first event of each kind, in ms after the onset (over the bot) or after the end."""
        zero = self.onset if self.case.kind in OVERLAPPING else self.end
        first = {one.type: one for one in reversed(self.events) if one.at > zero}
        told = sorted((one.at, kind) for kind, one in first.items() if kind in TOLD)
        return ", ".join(f"{TOLD[kind]} {(at - zero) * 1000:.0f}" for at, kind in told)

    @property
    def recognised(self) -> str:
        """What the engine's transcriber made of the sound: its last words of each turn."""
        finals = [str(one.data["message"]) for one in self.of("transcription", is_final=True)]
        partial = [str(one.data["message"]) for one in self.of("transcription")]
        return " ".join(finals) or (partial[-1] + " ..." if partial else "")

    def with_reply(self, reply: Reply | None) -> "Observation":
        """The same with the reply."""
        return replace(self, reply=reply)


@dataclass
class Session:
    """What came of one call."""

    observations: list[Observation]
    resumed: list[Reply] = field(default_factory=list)
    """The replies that went on after a tentative pause, all of each."""


def lost(case: Case, why: str) -> Observation:
    """A case that came to nothing."""
    return Observation(case, 0.0, 0.0, 0.0, lost=why)
