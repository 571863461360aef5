"""A turn's trace: its jobs as they are given away, the rest from its timeline once it is over."""

from collections.abc import Mapping
from typing import NamedTuple

from parley import tracing
from parley.subjects import Stage
from parley.tracing import NOTHING, Span

UNFINISHED = "unfinished"
"""The outcome of a turn that was under way as its call ended, or went to another gateway."""


class Interruption(NamedTuple):
    """How the caller's voice stopped the bot. Times in s."""

    onset: float
    """The voice set in."""
    silent: float
    """The last audio was delivered."""
    decided: float
    """It was taken for an interruption."""


class TurnTrace:
    """One turn's spans, under one root. The root begins with the first job that is given away."""

    def __init__(self, conversation_id: str = "", agent: str = "", turn: int = 0) -> None:
        self.is_over = False
        self._about: dict[str, tracing.Value] = {
            "parley.conversation.id": conversation_id,
            "parley.agent": agent,
            "parley.turn": turn,
        }
        self._root = NOTHING
        self._attempts: list[Span] = []
        self._hearing_lost: list[float] = []

    def attempt(self, stage: Stage, provider: str, since: float | None) -> Span:
        """The gateway's side of a job: from its claim to its end. The turn began at `since` (s)."""
        if self._root is NOTHING and not self.is_over:
            self._root = tracing.root("turn", since)
            self._root.set(self._about)
        span = self._root.child(f"{stage} attempt", asks=True)
        span.set({"parley.provider": provider})
        self._attempts.append(span)
        return span

    def hearing_lost(self, at: float) -> None:
        """A transcriber was lost at that time (s), and another goes on."""
        self._hearing_lost.append(at)

    def set(self, attributes: Mapping[str, tracing.Value]) -> None:
        """What is known about the turn."""
        self._root.set(attributes)

    def finish(
        self,
        outcome: str,
        reached: Mapping[str, float],
        interruption: Interruption | None = None,
        recognition_ms: float = 0.0,
    ) -> str:
        """The turn is over. The trace's id, where it is recorded.

        `reached` has the times (s) of the timeline's stages; recognising the caller's last words
        has taken `recognition_ms`.
        """
        root, self.is_over = self._root, True
        root.set({"parley.outcome": outcome, "parley.interrupted": outcome == "interrupted"})
        for attempt in self._attempts:
            attempt.set({"parley.outcome": "cancelled"})  # of those that are still under way
            attempt.end()
        _hearing(root, reached, recognition_ms)
        _playout(root, reached)
        if interruption is not None:
            _interrupt(root, interruption)
        for stage in ("first_token", "first_sentence", "first_audio", "reply_complete"):
            if stage in reached:
                root.event(stage, reached[stage])
        for at in self._hearing_lost:
            root.event("hearing_lost", at)
        if outcome == "failed":
            root.fail("reply_lost")
        root.end(reached.get("heard"))
        return root.trace_id

    def abandon(self) -> None:
        """The call is over, or goes on elsewhere."""
        if not self.is_over:
            self.finish(UNFINISHED, {})


class CallTraces:
    """The traces of one call's turns."""

    def __init__(self, conversation_id: str, agent: str) -> None:
        self._conversation_id = conversation_id
        self._agent = agent
        self._turns: dict[int, TurnTrace] = {}

    def turn(self, turn: int) -> TurnTrace:
        """The turn's trace: the same one until the turn is over."""
        found = self._turns.get(turn)
        if found is None or found.is_over:
            self._turns = {at: one for at, one in self._turns.items() if not one.is_over}
            found = self._turns[turn] = TurnTrace(self._conversation_id, self._agent, turn)
        return found

    def close(self) -> None:
        """The call is over."""
        for trace in self._turns.values():
            trace.abandon()


def _hearing(root: Span, reached: Mapping[str, float], recognition_ms: float) -> None:
    """From the end of the caller's speech until it was known to be over, and what was said."""
    if "speech_end" not in reached:
        return
    span = root.child("hearing", reached["speech_end"])
    known = [stage for stage in ("end_of_turn", "final_transcription") if stage in reached]
    for stage in known:
        span.event(stage, reached[stage])
    if "final_transcription" in reached and recognition_ms:
        end = reached["final_transcription"]
        span.child("recognition", end - recognition_ms / 1000).end(end)
    span.end(max([reached["speech_end"], *(reached[stage] for stage in known)]))


def _playout(root: Span, reached: Mapping[str, float]) -> None:
    """From the first audio delivered to the last that was heard."""
    if "first_delivered" not in reached:
        return
    first = reached["first_delivered"]
    root.child("playout", first).end(max(reached.get("heard", first), first))
    if "speech_end" in reached:
        root.set({"parley.voice_to_voice_ms": round((first - reached["speech_end"]) * 1000, 1)})


def _interrupt(root: Span, interruption: Interruption) -> None:
    span = root.child("interrupt", interruption.onset)
    span.event("last_audio", interruption.silent)
    span.event("decided", interruption.decided)
    span.set({"parley.interrupt_ms": round((interruption.silent - interruption.onset) * 1000, 1)})
    span.end(max(interruption))
