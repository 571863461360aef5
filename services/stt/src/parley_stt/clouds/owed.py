"""How long the answer to a FINALIZE is waited for. Pure: the clock is given.

A provider that has nothing left to say may say nothing, and one that is slow is not dead. So what
it has told so far decides. All moments and waits are in s.
"""

from dataclasses import dataclass, field

NOTHING_LEFT_SECONDS = 0.4
"""The wait for an answer where all words are in finals already ..."""
ANSWER_SECONDS = 1.2
"""... where they are, or may be, in a partial, which then has to do for the final ..."""
SILENT_SECONDS = 2.5
"""... and where some are missing, for as long as the provider gives nothing at all."""
UNSENT_SECONDS = 0.6
"""So much longer it may take until the provider has FINALIZE: behind audio, or a new connection."""
LONGEST_SECONDS = 8.0
"""No answer is waited for longer, whatever comes meanwhile."""


@dataclass
class Owed:
    """The answer to one FINALIZE."""

    asked: float
    voice_ms: float = 0.0
    """Where the last voice before it ended, at the latest."""
    told_all: float | None = None
    """Since when the provider has told all words before it, if it is one that says so."""
    sign: float = field(init=False)
    """When the provider last gave something."""

    def __post_init__(self) -> None:
        self.sign = self.asked + UNSENT_SECONDS

    def sent(self, now: float, is_all: bool) -> None:
        """The provider has FINALIZE. `is_all`: and has told all words before."""
        self.sign = min(self.sign, now)
        self.notice(now, is_all)

    def gave(self, now: float, is_all: bool) -> None:
        """The provider, which has FINALIZE, gave something."""
        self.sign = now
        self.notice(now, is_all)

    def notice(self, now: float, is_all: bool) -> None:
        """Note whether all words have been told."""
        if is_all and self.told_all is None:
            self.told_all = now

    def until(self, has_partial: bool, may_be_all: bool) -> float:
        """Until when the answer is waited for, as things are now."""
        if self.told_all is not None:
            return self.told_all + (ANSWER_SECONDS if has_partial else NOTHING_LEFT_SECONDS)
        wait = ANSWER_SECONDS if may_be_all else SILENT_SECONDS
        return min(self.sign + wait, self.asked + LONGEST_SECONDS)
