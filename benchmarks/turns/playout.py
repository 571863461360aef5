"""What the caller's ear had of the bot: a device's jitter buffer, computed from what came when.

Times are seconds on one clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass

JITTER = 0.040
"""How long (s) a device waits before it plays what came into an empty buffer."""


@dataclass(frozen=True)
class Frame:
    """A piece of a turn's audio as it arrived."""

    at: float
    turn: int
    seconds: float


@dataclass(frozen=True)
class Span:
    """A time in which a turn was heard without a break."""

    turn: int
    begin: float
    end: float


def spans(frames: Sequence[Frame], clears: Sequence[float]) -> list[Span]:
    """What was played when; at each of `clears` the device drops what it still holds."""
    played: list[Span] = []
    waiting = sorted(clears)
    for frame in frames:
        while waiting and waiting[0] <= frame.at:
            played = cut(played, waiting.pop(0))
        head = played[-1].end if played else 0.0
        begin = head if head > frame.at else frame.at + JITTER
        played.append(Span(frame.turn, begin, begin + frame.seconds))
    for clear in waiting:
        played = cut(played, clear)
    return _joined(played)


def cut(played: Sequence[Span], at: float) -> list[Span]:
    """What is left of it where nothing after `at` is played."""
    return [Span(one.turn, one.begin, min(one.end, at)) for one in played if one.begin < at]


def _joined(played: Sequence[Span]) -> list[Span]:
    whole: list[Span] = []
    for one in played:
        if whole and whole[-1].turn == one.turn and one.begin - whole[-1].end < 0.001:
            whole[-1] = Span(one.turn, whole[-1].begin, one.end)
        else:
            whole.append(one)
    return whole
