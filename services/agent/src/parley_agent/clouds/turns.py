"""A history in the form of APIs that have two roles, which take turns. Pure.

What is said in a row by the same side is one turn. The first turn is the caller's; where the
agent has spoken first, as it does on the phone, it is given one that says nothing.
"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from parley.messages import ChatMessage

OPENING = "(The call has begun.)"
"""The caller's turn before the agent's greeting."""

Part = TypeVar("Part")


def system_prompt(history: Sequence[ChatMessage]) -> str:
    """All that the history has for the model alone."""
    return "\n\n".join(
        message.content for message in history if message.role == "system" and message.content
    )


def alternating(
    said: Iterable[tuple[str, list[Part]]], user: str, opening: Part
) -> list[tuple[str, list[Part]]]:
    """The turns, each with its role and its parts; `user` is what the caller's role is called."""
    turns: list[tuple[str, list[Part]]] = []
    for role, parts in said:
        if not parts:
            continue
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(parts)
        else:
            turns.append((role, list(parts)))
    if not turns or turns[0][0] != user:
        turns.insert(0, (user, [opening]))
    return turns
