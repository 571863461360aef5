"""What is tested: a sound of the caller's, when it comes, and what a good bot does then."""

from dataclasses import dataclass
from enum import StrEnum

from benchmarks.turns import sounds
from parley_cli.wav import Samples


class Kind(StrEnum):
    """What a case asks of the bot."""

    CLEAR = "clear"
    """A complete turn: answer soon."""
    PAUSE = "pause"
    """A turn with pauses inside: answer after its end, not in them."""
    ANSWER = "answer"
    """A short word after a question of the bot's: take it for the answer."""
    INTERRUPTION = "interruption"
    """Words that are meant to stop the bot while it speaks: yield."""
    BACKCHANNEL = "backchannel"
    """A listener's word while the bot speaks: go on."""
    NOISE = "noise"
    """A cough, a laugh, a door, music while the bot speaks: go on."""
    NOT_DIRECTED = "not_directed"
    """Somebody else's speech in the background while the bot speaks: go on."""


OVERLAPPING = frozenset({Kind.INTERRUPTION, Kind.BACKCHANNEL, Kind.NOISE, Kind.NOT_DIRECTED})
"""Kinds whose sound comes while the bot speaks."""


@dataclass(frozen=True)
class Case:
    """One sound and its moment."""

    kind: Kind
    name: str
    samples: Samples
    """PCM16 mono at 16 kHz, from its onset to its end, without silence around it."""
    human: bool
    """Whether a person was recorded (or a real thing, for noise); else it is synthesised."""
    moment: float = 0.0
    """How far (s) into the bot's turn, or after its end, the sound comes."""
    pauses: tuple[tuple[float, float], ...] = ()
    """From when to when (s) in the samples the caller pauses inside a sentence."""
    timed: bool = True
    """Whether the bot's voice gives word times."""

    @property
    def seconds(self) -> float:
        """How long the sound is."""
        return sounds.seconds(self.samples)
