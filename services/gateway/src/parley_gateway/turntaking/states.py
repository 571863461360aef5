"""Where a conversation stands."""

from enum import StrEnum


class State(StrEnum):
    """Whose turn it is. docs/turn-taking.md has the diagram."""

    LISTENING = "listening"
    THINKING = "thinking"
    SPEAKING = "speaking"
    PAUSED = "paused"
    INTERRUPTED = "interrupted"


REPLYING = (State.THINKING, State.SPEAKING, State.PAUSED)
"""The bot has the floor."""
