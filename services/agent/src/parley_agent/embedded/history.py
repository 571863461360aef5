"""Keeps a conversation's history within what a model can read."""

from collections.abc import Sequence

from parley.messages import ChatMessage

BYTES_PER_TOKEN = 3
"""English has four or more; what a tokenizer cannot shorten, digits, has fewer."""
TOKENS_PER_MESSAGE = 5
"""What the chat template puts around each message."""
LAST_MESSAGE_TOKENS = 200
"""What the last message may always take, however long the system prompt is."""
KEPT_SHARE = 0.5
"""How much of the budget is left full when turns are dropped."""


def tokens(message: ChatMessage) -> int:
    """About how many tokens a message takes: rather too many than too few."""
    return len(message.content.encode()) // BYTES_PER_TOKEN + TOKENS_PER_MESSAGE


def trimmed(history: Sequence[ChatMessage], budget: int) -> list[ChatMessage]:
    """The history without its oldest turns, so that it takes at most about `budget` tokens.

    The system prompt stays, and so does the last message, shortened if need be. Turns are
    dropped many at a time and at the same places each time that the conversation has grown:
    between two drops the beginning stays the same, and the model's prompt cache holds.
    """
    system = [message for message in history if message.role == "system"]
    turns = [message for message in history if message.role != "system"]
    budget -= sum(map(tokens, system))
    first, size = 0, 0
    for index, message in enumerate(turns):
        size += tokens(message)
        if size <= budget:
            continue
        while first < index and (size > budget * KEPT_SHARE or turns[first].role != "user"):
            size -= tokens(turns[first])
            first += 1
    kept = turns[first:]
    if kept and size > budget:
        kept = [_shortened(kept[-1], budget)]
    return system + kept


def _shortened(message: ChatMessage, budget: int) -> ChatMessage:
    """The end of the message: what was said last matters most."""
    room = (max(budget, LAST_MESSAGE_TOKENS) - TOKENS_PER_MESSAGE) * BYTES_PER_TOKEN
    return message.model_copy(
        update={"content": message.content.encode()[-room:].decode(errors="ignore")}
    )
