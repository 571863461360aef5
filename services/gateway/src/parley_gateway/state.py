"""What of a conversation outlives its gateway: see docs/architecture.md, "A gateway dies"."""

from typing import Literal

from pydantic import BaseModel

from parley.marks import Mark
from parley.tool_rounds import ToolRound


class EntryState(BaseModel):
    """One entry of the history."""

    speaker: Literal["human", "bot"]
    turn: int
    text: str
    cut_off: bool = False
    rounds: list[ToolRound] = []


class SegmentState(BaseModel):
    """A segment of the reply under way: its text, and what there was of its audio."""

    text: str
    marks: list[Mark] = []
    audio_ms: float = 0.0
    complete: bool = False


class ReplyState(BaseModel):
    """The reply under way. `written`: no more text comes than the segments have.

    `heard` is what was heard of it before `segments`, in an earlier gateway's time. `rounds`: the
    tools that it has called.
    """

    turn: int
    heard: str = ""
    segments: list[SegmentState] = []
    written: bool = False
    rounds: list[ToolRound] = []


class TalkState(BaseModel):
    """Where a conversation stands. `understood_ms`: the caller's audio up to there is in it."""

    turn: int = 0
    entries: list[EntryState] = []
    said: list[str] = []
    """Final transcriptions of a turn that is not over yet."""
    reply: ReplyState | None = None
    understood_ms: float = 0.0
