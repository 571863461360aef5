"""How long the bot is silent because there is voice over it. Pure; times in s, voice in ms."""

from parley_gateway.turntaking.states import State
from parley_gateway.turntaking.voice import CallerVoice

HESITATION_SECONDS = 0.09
"""The bot speaks on for so long after voice has set in over it: a part of a nod is over then."""
UNDECIDED_SECONDS = 0.5
"""A pause goes on for at most so long without voice; words that come later still interrupt."""
RECOGNITION_SECONDS = 0.12
"""... but for so long after the voice in any case: short words are being recognised then."""
SHORT_MS = 600.0
"""Less voice than this counts as short: its pause is over soon, whether or not words were found."""
OWED_SECONDS = 1.5
"""... but it is not over so soon after more voice, while its words are still being recognised."""
WORDLESS_SECONDS = 3.0
"""A pause lasts at most so long when there is voice in which no words are found: music, a crowd."""
PAUSES = 4
"""So many times a reply pauses for nothing; then only words stop it. The line is noisy."""


class Pausing:
    """The pauses of one reply after another, one voice after another."""

    def __init__(self) -> None:
        self.state_before = State.SPEAKING
        """Where the reply was when it last paused, and goes on."""
        self.hesitates_until: float | None = None
        """Until when the voice that has just set in over the bot does not silence it."""
        self._at = 0.0
        self._count = 0

    def reply_begins(self) -> None:
        """None of the new reply's pauses has been."""
        self._count = 0
        self.hesitates_until = None

    def voice_sets_in(self, now: float) -> None:
        """It does, over the bot."""
        self.hesitates_until = now + HESITATION_SECONDS

    def begin(self, now: float, state: State, voice: CallerVoice) -> bool:
        """Pause for this voice, unless it is too young, or it or the reply has had its pauses."""
        if voice.has_paused or self._count >= PAUSES:
            return False
        if self.hesitates_until is not None and now < self.hesitates_until:
            return False
        self.state_before, self._at = state, now
        voice.has_paused = True
        self._count += 1
        return True

    def go_on(self, now: float) -> None:
        """It is as if it began now."""
        self._at = now

    def deadline(self, voice: CallerVoice) -> float:
        """When it is over, if nothing is decided before."""
        if voice.is_voiced:
            return self._at + WORDLESS_SECONDS
        if voice.voiced_ms >= SHORT_MS:
            return voice.ended_at + (UNDECIDED_SECONDS if voice.is_whole else OWED_SECONDS)
        return max(self._at + UNDECIDED_SECONDS, voice.ended_at + RECOGNITION_SECONDS)
