"""Who decides whether a caller who speaks while the bot does means to interrupt it.

Named in the profile as `interruption.decider`, found by its entry point, so anyone can add one
without touching this repository:

    [project.entry-points."parley.deciders"]
    mine = "my_package:MyDecider"
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.metadata import entry_points

from parley.policies import Interruption

GROUP = "parley.deciders"


class Verdict(StrEnum):
    """What to do about a possible interruption."""

    INTERRUPT = "interrupt"
    """The caller means it: the reply is cut here, and what they say is answered."""
    RESUME = "resume"
    """They do not, as far as is known: the bot goes on, and the words so far take no turn."""
    WAIT = "wait"
    """Not clear yet. The bot stays silent as long as there is voice, or half a second without."""


@dataclass(frozen=True)
class Evidence:
    """All that is known of a possible interruption. Times in ms of the caller's audio."""

    voiced_ms: float
    """How much voice there was since it set in."""
    voice_ended: bool
    """Whether the caller is silent again."""
    text: str
    """What was recognised of it so far; it may be partial, or empty."""
    recognised_ms: float
    """How much of the voice the text covers, about; half a word may be at its end. 0: none yet."""
    is_whole: bool
    """Whether the caller is silent again, and the text covers all that they said."""
    confidence: float
    """The transcriber's, from 0 to 1; 1 where there is no text."""
    bot_text: str
    """What the bot was saying, up to a little after the place where it was when voice set in."""
    answers_question: bool
    """Whether the bot had just asked something when voice set in."""
    thinking: bool
    """Whether nothing of the bot's reply was heard yet."""


class Decider(ABC):
    """Decides for one call. The one real method is `decide`."""

    def __init__(self, policy: Interruption, language: str) -> None:
        self.policy = policy
        self.language = language

    @abstractmethod
    def decide(self, evidence: Evidence) -> Verdict:
        """Called each time that more is known, in the gateway's event loop: must not block."""


class UnknownDecider(ValueError):
    """No decider of that name is installed."""


@cache
def load(name: str) -> type[Decider]:
    """The decider of that name. Raises UnknownDecider, which lists those there are."""
    points = {point.name: point for point in entry_points(group=GROUP)}
    if name not in points:
        known = ", ".join(sorted(points)) or "none"
        raise UnknownDecider(f"no decider {name!r} is installed; installed: {known}")
    decider = points[name].load()
    if not (isinstance(decider, type) and issubclass(decider, Decider)):
        raise UnknownDecider(f"{points[name].value} is not a parley Decider")
    return decider
