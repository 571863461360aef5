"""What is known of one caller's turn, as far as it tells whether the turn is over.

Joins what voice activity says of pauses with what the transcriber says of words. Text counts
in a pause only if it has all that was said before: words of a transcriber that is behind
must not end a turn whose last words it has yet to give.
"""

from parley.messages import HearingSpec
from parley.providers import Heard, TranscriberCapabilities
from parley_stt.end_of_turn import COMPLETE, UNFINISHED, UNKNOWN, completeness, silence_ms


class TurnEnd:
    """Follows one caller's turns; says of each pause how much silence makes it the end."""

    def __init__(self, spec: HearingSpec, capabilities: TranscriberCapabilities) -> None:
        self._spec = spec
        self._capabilities = capabilities
        # Else silence alone decides, or the transcriber.
        self._by_text = (
            spec.endpointing_max_ms > spec.endpointing_ms and not capabilities.detects_end_of_turn
        )
        self.begin()

    def begin(self) -> None:
        """The turn is over, and the next has no words yet."""
        self._finals = ""
        self._text = ""
        self._sentence_end: float | None = None
        self._covered_ms = 0.0
        self.speak()

    def speak(self) -> None:
        """The caller speaks."""
        self._voice_end_ms: float | None = None
        self._said: float | None = None
        self._likely_text: str | None = None

    def hush(self, position_ms: float) -> None:
        """Their voice ended there, for the moment."""
        self._voice_end_ms = position_ms

    def hear(self, result: Heard, covered_ms: float) -> None:
        """The transcriber gave this; it has all words up to `covered_ms` of the call's audio."""
        self._text = f"{self._finals} {result.message}".strip()
        self._finals = self._text if result.is_final else self._finals
        self._sentence_end = result.sentence_end
        self._covered_ms = covered_ms
        self._said = None

    def expect(self, over: bool) -> None:
        """The transcriber says of this pause that the turn is over, or that it is not."""
        self._said = COMPLETE if over else UNFINISHED
        self._likely_text = self._text if over else None

    @property
    def longest_ms(self) -> float:
        """No silence is waited for that is longer."""
        return self._silence_ms(UNFINISHED)

    @property
    def usual_ms(self) -> float:
        """So much silence ends a turn of which nothing is known."""
        return self._silence_ms(UNKNOWN)

    @property
    def silence_ms(self) -> float:
        """So much silence ends the turn, as far as is known now."""
        return self._silence_ms(self._completeness)

    def becomes_likely(self) -> bool:
        """Whether an end of the turn is to be expected with the words by now, and was not yet."""
        if not (self._by_text and self._is_text_whole and self._text):
            return False
        was_expected, self._likely_text = self._likely_text == self._text, self._text
        return not was_expected

    @property
    def _completeness(self) -> float:
        if self._said is not None:
            return self._said
        if not self._is_text_whole:
            return UNKNOWN
        return completeness(
            self._text,
            self._spec.language,
            punctuates=self._capabilities.punctuates,
            sentence_end=self._sentence_end,
        )

    @property
    def _is_text_whole(self) -> bool:
        if not self._by_text or self._voice_end_ms is None:
            return False
        return self._covered_ms >= self._voice_end_ms

    def _silence_ms(self, complete: float) -> float:
        return silence_ms(complete, self._spec.endpointing_ms, self._spec.endpointing_max_ms)
