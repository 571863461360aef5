"""Interrupts across machines: fences, and events that a fence can hold back.

A broadcast can be late or lost, so every message of a turn carries `(turn, attempt)`, and
whoever receives one that is behind its fence drops it. Interrupting means moving the fence.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

Payload = TypeVar("Payload")


@dataclass
class InterruptibleEvent(Generic[Payload]):
    """Work of one turn that an interrupt may stop."""

    payload: Payload
    turn: int
    attempt: int = 1
    is_interruptible: bool = True
    interrupted: bool = False

    def interrupt(self) -> bool:
        """Stop it. False where it may not be stopped, or already is."""
        if not self.is_interruptible or self.interrupted:
            return False
        self.interrupted = True
        return True


class Fence:
    """Remembers how far interrupts have come, and says what may still pass."""

    def __init__(self) -> None:
        self.turn = -1
        """The last turn behind the fence."""

    def move(self, turn: int) -> None:
        """Interrupt `turn` and all before it. A fence never moves back."""
        self.turn = max(self.turn, turn)

    def passes(self, event: InterruptibleEvent[Payload]) -> bool:
        """Whether the event may go on; one that may not is marked interrupted."""
        if event.turn > self.turn or not event.is_interruptible:
            return True
        event.interrupt()
        return False
