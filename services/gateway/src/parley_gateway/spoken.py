"""One turn's speech: what was asked to be spoken, what audio came, what of it was heard. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from parley.marks import TYPICAL_CHARACTERS_PER_SECOND, Mark, message_up_to


@dataclass
class _Segment:
    text: str
    marks: list[Mark] = field(default_factory=list)
    audio_ms: float = 0.0
    complete: bool = False


class SpokenTurn:
    """Segments in the order in which they are spoken, one after the other, without a break."""

    def __init__(self) -> None:
        self._segments: list[_Segment] = []

    def add(self, text: str) -> int:
        """A segment to be spoken; its number, from 0."""
        self._segments.append(_Segment(text))
        return len(self._segments) - 1

    def add_audio(self, segment: int, ms: float) -> None:
        """So much more audio of the segment has come."""
        self._segments[segment].audio_ms += ms

    def add_marks(self, segment: int, marks: Sequence[Mark]) -> None:
        """Marks of the segment."""
        self._segments[segment].marks += marks

    def complete(self, segment: int) -> None:
        """All audio of the segment has come."""
        self._segments[segment].complete = True

    def knows(self, segment: int) -> bool:
        """Whether there is such a segment."""
        return 0 <= segment < len(self._segments)

    @property
    def mid_segment(self) -> bool:
        """Whether audio has come of a segment whose rest has not: silence now is a gap."""
        return any(segment.audio_ms and not segment.complete for segment in self._segments)

    @property
    def outstanding_ms(self) -> float:
        """About how much audio has still to come of the segments."""
        return sum(
            max(len(one.text) / TYPICAL_CHARACTERS_PER_SECOND * 1000 - one.audio_ms, 0.0)
            for one in self._segments
            if not one.complete
        )

    @property
    def text(self) -> str:
        """All that was to be spoken."""
        return " ".join(segment.text for segment in self._segments)

    def text_up_to(self, heard_ms: float) -> str:
        """What was said in the first `heard_ms` of the turn's audio, to the word."""
        heard, start = [], 0.0
        for one in self._segments:
            duration = one.audio_ms if one.complete else None
            part = message_up_to(one.text, one.marks, heard_ms - start, duration)
            if part:
                heard.append(part)
            if part != one.text:
                break
            start += one.audio_ms
        return " ".join(heard)
