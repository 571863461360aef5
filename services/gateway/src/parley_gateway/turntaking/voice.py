"""What is known of the caller's voice and words since their turn began. Pure."""

from dataclasses import dataclass

from parley.deciders import Evidence


@dataclass(frozen=True)
class BotContext:
    """What the bot was doing as the caller's voice set in."""

    text: str = ""
    """What it was saying, up to a little after the place where it was."""
    asks: bool = False
    """Whether it had just asked something."""


SILENT_BOT = BotContext()


class CallerVoice:
    """The caller's side of a turn that is not over."""

    def __init__(self) -> None:
        self.said: list[str] = []
        """Final transcriptions."""
        self.is_voiced = False
        """Whether there is voice now."""
        self.over_bot = False
        """Whether the voice set in while the bot had the floor."""
        self.has_paused = False
        """Whether the bot has fallen silent for this voice already."""
        self.is_over = False
        """Whether the turn is over, but waits for a protected reply to end."""
        self.is_whole = False
        """Whether the voice has ended, and all of it is recognised."""
        self.voiced_ms = 0.0
        """Voice without a pause, since it set in."""
        self.turn_ms = 0.0
        """Voice in all of this turn."""
        self.ended_at = 0.0
        """When (s) it last ended."""
        self.last_words = ""
        """What was last recognised of this turn, though the transcriber may have taken it back."""
        self._deaf = False
        self._partial = ""
        self._recognised = False
        self._recognised_ms = 0.0
        self._covered_ms: float | None = None
        self._end_ms: float | None = None
        self._confidence = 1.0
        self._bot = SILENT_BOT

    @property
    def text(self) -> str:
        """All words of the turn so far."""
        return " ".join([*self.said, self._partial]).strip()

    @property
    def without_words(self) -> bool:
        """Whether a transcriber has listened since the voice set in, and found no words."""
        return self._recognised and not self.text

    def started(self, bot: BotContext, *, over_bot: bool) -> None:
        """Voice sets in."""
        self.is_voiced = True
        self.has_paused = False
        self.is_over = self._deaf = False
        self.voiced_ms = 0.0
        self._forget_recognition()
        self._bot = bot
        self.over_bot = over_bot

    def progressed(self, voiced_ms: float) -> None:
        """There has been so much of it without a pause."""
        self.turn_ms += voiced_ms - self.voiced_ms
        self.voiced_ms = voiced_ms

    def ended(self, now: float, position_ms: float | None = None) -> None:
        """Voice stopped at `position_ms` of the caller's audio, and may set in again.

        What was recognised of it so far may lack its end.
        """
        if self.is_voiced:
            self._end_ms = position_ms
            self.is_whole = self._recognised and self._covers_the_end
        self.is_voiced = False
        self.ended_at = now

    def finished(self, *, speaks_again: bool = False) -> None:
        """The turn is over, and all of it is recognised. Voice may have set in since."""
        self.is_voiced = self.is_voiced and speaks_again
        self.is_whole = True

    @property
    def _covers_the_end(self) -> bool:
        """Whether what was recognised last goes as far as the voice did."""
        if self._covered_ms is None or self._end_ms is None:
            return not self.is_voiced
        return self._covered_ms >= self._end_ms

    def transcribed(
        self, text: str, is_final: bool, confidence: float, covered_ms: float | None = None
    ) -> None:
        """Something was recognised up to there, were it that there are no words."""
        text = "" if self._deaf else text
        self._recognised = True
        self._recognised_ms = self.voiced_ms
        self._covered_ms = covered_ms
        self.is_whole = not self.is_voiced and self._covers_the_end
        self._confidence = confidence if text else 1.0
        self._partial = "" if is_final else text
        if is_final and text:
            self.said.append(text)
        self.last_words = self.text or self.last_words

    def clear(self) -> None:
        """The turn is over, or its words are not wanted. What sounds now goes on sounding."""
        self.said = []
        self._partial = ""
        self._forget_recognition()
        self.turn_ms = 0.0
        self.last_words = ""
        self.over_bot = self.over_bot and self.is_voiced
        self.is_over = False

    def drop(self) -> None:
        """Clear; what is still recognised of voice that has ended is not wanted either."""
        self.clear()
        self._deaf = not self.is_voiced

    def _forget_recognition(self) -> None:
        self._recognised = self.is_whole = False
        self._recognised_ms = 0.0

    def evidence(self, *, thinking: bool) -> Evidence:
        """For a decider."""
        return Evidence(
            voiced_ms=self.voiced_ms,
            voice_ended=not self.is_voiced,
            text=self.text,
            recognised_ms=self._recognised_ms,
            is_whole=self.is_whole,
            confidence=self._confidence,
            bot_text=self._bot.text,
            answers_question=self._bot.asks,
            thinking=thinking,
        )
