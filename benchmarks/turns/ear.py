"""Notes of what a call's loudspeaker gets: each frame when it arrives, and each clear."""

import time
from collections.abc import Callable
from typing import Any

from benchmarks.turns.playout import Frame, Span, spans
from benchmarks.turns.sounds import RATE
from parley_cli.call import Call
from parley_cli.wav import Samples


class Ear:
    """Listens at the device of a call; made right after the call was taken."""

    def __init__(self, call: Call) -> None:
        self.frames: list[Frame] = []
        self.clears: list[float] = []
        self._turn = -1
        _before(call.playback, "begin", self._begin)
        _before(call.playback, "push", self._push)
        _before(call.playback, "clear", self._clear)

    def since(self, begin: float) -> list[Frame]:
        """What arrived from then on."""
        return [one for one in self.frames if one.at >= begin]

    def played(self) -> list[Span]:
        """What was heard so far; what lies in the device's buffer counts as if it were."""
        return spans(self.frames, self.clears)

    def seconds_of(self, turn: int) -> float:
        """How much of a turn arrived."""
        return sum(one.seconds for one in self.frames if one.turn == turn)

    def _begin(self, turn: int, *_: Any) -> None:
        self._turn = turn

    def _push(self, samples: Samples) -> None:
        self.frames.append(Frame(time.monotonic(), self._turn, len(samples) / RATE))

    def _clear(self) -> None:
        self.clears.append(time.monotonic())


def _before(thing: object, name: str, note: Callable[..., None]) -> None:
    """Have `note` called with the same arguments whenever the method is."""
    method = getattr(thing, name)

    def noting(*arguments: Any) -> Any:
        note(*arguments)
        return method(*arguments)

    setattr(thing, name, noting)
