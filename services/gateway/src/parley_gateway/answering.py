"""One turn's answer: a reply, its speech, and what of both has to outlive a gateway."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from parley.tool_rounds import ToolRound
from parley.tools import Tool
from parley_gateway.reply import Reply, buffered
from parley_gateway.speech import Speech
from parley_gateway.spoken import SpokenTurn
from parley_gateway.state import ReplyState, SegmentState
from parley_gateway.tool_calls import ToolCalls


@dataclass(frozen=True)
class Rest:
    """What is left of an answer that another gateway had begun."""

    prior: str = ""
    """What was heard of it."""
    text: str = ""
    """What was to be spoken, and was not heard."""
    written: bool = False
    """No more text comes."""
    rounds: list[ToolRound] = field(default_factory=list)
    """The tools that it has called."""


def rest_of(state: ReplyState, heard_ms: float) -> Rest:
    """What is left after `heard_ms` of the audio that the gateway before delivered."""
    spoken = SpokenTurn(state.heard)
    for segment in state.segments:
        at = spoken.add(segment.text)
        spoken.add_marks(at, segment.marks)
        spoken.add_audio(at, segment.audio_ms)
        if segment.complete:
            spoken.complete(at)
    prior = spoken.text_up_to(heard_ms)
    return Rest(prior, spoken.text[len(prior) :].strip(), state.written, state.rounds)


@dataclass(eq=False)
class Answering:
    """A turn that is being answered: first with `known` text, then with what `reply` writes."""

    turn: int
    speech: Speech
    reply: Reply | None
    known: list[str]
    calls: ToolCalls

    def segments(self, *, whole: bool) -> AsyncGenerator[str, None]:
        """What is to be spoken; `whole`: not before all of it is written."""
        segments = self._segments()
        return buffered(segments) if whole else segments

    async def _segments(self) -> AsyncGenerator[str, None]:
        for segment in self.known:
            yield segment
        if self.reply is not None:
            async with aclosing(self.reply.segments()) as segments:
                async for segment in segments:
                    yield segment

    def state(self) -> ReplyState:
        """What another gateway needs to go on."""
        spoken = self.speech.spoken
        given = [] if self.reply is None else self.reply.given
        whole = " ".join(part for part in [spoken.prior, *self.known, *given] if part)
        segments = spoken.segments
        if waiting := whole[len(spoken.text) :].strip():
            segments.append(SegmentState(text=waiting))
        return ReplyState(
            turn=self.turn,
            heard=spoken.prior,
            segments=segments,
            written=self.reply is None or self.reply.complete,
            rounds=self.calls.copy(),
        )

    def rounds(self, tools: Sequence[Tool], *, cut_off: bool) -> list[ToolRound]:
        """The tools that were called, for the history, once no more is made of the answer."""
        if self.reply is not None:
            self.reply.stop()
        return self.calls.over(tools, cut_off=cut_off)
