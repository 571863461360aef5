"""Tool calls in a history. Pure."""

from collections.abc import Sequence

from parley.messages import ChatMessage, ToolCall


def unanswered(history: Sequence[ChatMessage]) -> list[ToolCall]:
    """The calls that the history ends with, and that have given nothing yet."""
    given = set()
    for message in reversed(history):
        if message.role == "assistant":
            return [call for call in message.tool_calls if call.id not in given]
        if message.role != "tool":
            break
        given.add(message.tool_call_id)
    return []


def rounds_of(history: Sequence[ChatMessage]) -> int:
    """How often tools were called since the caller spoke last."""
    rounds = 0
    for message in reversed(history):
        if message.role == "user":
            break
        rounds += bool(message.tool_calls)
    return rounds


def distinct(calls: Sequence[ToolCall], history: Sequence[ChatMessage]) -> list[ToolCall]:
    """The calls, with another id for those whose id there was already."""
    used = {call.id for message in history for call in message.tool_calls}
    found = []
    for call in calls:
        name, count = call.id or "call", 1
        while name in used:
            count += 1
            name = f"{call.id or 'call'}-{count}"
        used.add(name)
        found.append(call.model_copy(update={"id": name}))
    return found


def spoken_only(history: Sequence[ChatMessage]) -> list[ChatMessage]:
    """The history for a model that knows no tools: what was said, in alternating roles."""
    found: list[ChatMessage] = []
    for message in history:
        if message.role == "tool" or (message.role == "assistant" and not message.content):
            continue
        if found and found[-1].role == message.role:
            text = f"{found.pop().content} {message.content}"
            found.append(ChatMessage(role=message.role, content=text))
        else:
            found.append(ChatMessage(role=message.role, content=message.content))
    return found
