"""One turn's speech: what was asked to be spoken, what audio came, what of it was heard. Pure."""

from collections.abc import Sequence

from parley.marks import TYPICAL_CHARACTERS_PER_SECOND, Mark, message_up_to, share_marks
from parley_gateway.state import SegmentState


class SpokenTurn:
    """Segments in the order in which they are spoken, one after the other, without a break.

    `prior` was heard before, in another gateway's time.
    """

    def __init__(self, prior: str = "") -> None:
        self.prior = prior
        self._segments: list[SegmentState] = []

    def __len__(self) -> int:
        return len(self._segments)

    def add(self, text: str) -> int:
        """A segment to be spoken; its number, from 0."""
        self._segments.append(SegmentState(text=text))
        return len(self._segments) - 1

    def add_audio(self, segment: int, ms: float) -> None:
        """So much more audio of the segment has come."""
        self._segments[segment].audio_ms += ms

    def add_marks(self, segment: int, marks: Sequence[Mark]) -> None:
        """Marks of the segment; those that lie outside of its text are none."""
        one = self._segments[segment]
        one.marks += [mark for mark in marks if 0 <= mark.offset < len(one.text)]

    def complete(self, segment: int) -> None:
        """All audio of the segment has come."""
        self._segments[segment].complete = True

    def knows(self, segment: int) -> bool:
        """Whether there is such a segment."""
        return 0 <= segment < len(self._segments)

    def text_of(self, segment: int) -> str:
        """The text of a segment."""
        return self._segments[segment].text

    @property
    def segments(self) -> list[SegmentState]:
        """The segments as they are now."""
        return [one.model_copy(update={"marks": list(one.marks)}) for one in self._segments]

    @property
    def first_incomplete(self) -> int:
        """The number of the first segment of which audio has still to come."""
        incomplete = (at for at, one in enumerate(self._segments) if not one.complete)
        return next(incomplete, len(self._segments))

    @property
    def audio_ms(self) -> float:
        """How much audio there is."""
        return sum(one.audio_ms for one in self._segments)

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
        return self._with_prior([segment.text for segment in self._segments])

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
        return self._with_prior(heard)

    def word_begin_ms(self, heard_ms: float) -> float:
        """Where the word begins in whose middle the ear is after `heard_ms`; else that place."""
        start = 0.0
        for one in self._segments:
            if heard_ms < start + one.audio_ms:
                for mark in _marks(one):
                    if start + mark.start_ms < heard_ms < start + mark.end_ms:
                        return start + mark.start_ms
                return heard_ms
            start += one.audio_ms
        return heard_ms

    def _with_prior(self, parts: list[str]) -> str:
        return " ".join(part for part in [self.prior, *parts] if part)

    # --- Another voice goes on

    def cut(self, delivered_ms: float) -> None:
        """The voice was lost; another will speak what is incomplete, from the next word on.

        A segment of which nothing was delivered is spoken anew. One that is partly delivered is
        cut: at the first word that begins after what was delivered, or, where no such word's
        beginning is there, after the last word that is there whole. Afterwards `audio_ms` says
        how much audio may stay.
        """
        at = self.first_incomplete
        if at == len(self._segments):
            return
        one = self._segments[at]
        delivered_ms -= sum(before.audio_ms for before in self._segments[:at])
        if delivered_ms <= 0 or one.audio_ms <= 0:
            self._segments[at] = SegmentState(text=one.text)
            return
        offset, cut_ms = _next_word(one, delivered_ms)
        said, rest = one.text[:offset].rstrip(), one.text[offset:]
        marks = [mark for mark in one.marks if mark.offset < offset]
        replacement = [SegmentState(text=said, marks=marks, audio_ms=cut_ms, complete=True)]
        if rest:
            replacement.append(SegmentState(text=rest))
        self._segments[at : at + 1] = replacement

    def drop_incomplete(self) -> None:
        """Nobody will speak what is incomplete. After `cut`."""
        del self._segments[self.first_incomplete :]


def _marks(one: SegmentState) -> list[Mark]:
    """The segment's marks in order; by their share of the audio where the voice gives none."""
    typical_ms = len(one.text) / TYPICAL_CHARACTERS_PER_SECOND * 1000
    duration_ms = one.audio_ms if one.complete else max(typical_ms, one.audio_ms)
    return sorted(one.marks or share_marks(one.text, duration_ms), key=lambda mark: mark.offset)


def _next_word(one: SegmentState, delivered_ms: float) -> tuple[int, float]:
    """Where in the text another voice goes on, and how much (ms) of the audio stays."""
    marks = _marks(one)
    for mark in marks:
        begin = _word_begin(one.text, mark.offset)
        if begin is not None and delivered_ms <= mark.start_ms <= one.audio_ms:
            return begin, mark.start_ms
    whole = [mark for mark in marks if mark.end_ms <= one.audio_ms]
    if not whole:
        return 0, one.audio_ms
    end = whole[-1].offset + len(whole[-1].word)
    while end < len(one.text) and not one.text[end].isspace():
        end += 1
    rest = one.text[end:]
    return end + len(rest) - len(rest.lstrip()), max(delivered_ms, whole[-1].end_ms)


def _word_begin(text: str, offset: int) -> int | None:
    """Where the word at `offset` begins, with its quotes; None in the middle of `well-known`."""
    begin = offset
    while begin > 0 and not text[begin - 1].isspace():
        begin -= 1
        if text[begin].isalnum():
            return None
    return begin
