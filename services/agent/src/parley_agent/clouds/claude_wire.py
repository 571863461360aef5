"""The history and the tools as Anthropic's Messages API writes them. Pure."""

import re
from collections.abc import Sequence
from typing import Any

from parley.messages import ChatMessage, ToolCall, ToolDescription
from parley_agent.clouds.tool_calls import arguments_of
from parley_agent.clouds.turns import OPENING, alternating

_NOT_IN_AN_ID = re.compile(r"[^a-zA-Z0-9_-]")


def messages(history: Sequence[ChatMessage]) -> list[dict[str, Any]]:
    """The request's `messages`; what the history has for the model alone is not among them."""
    said = [
        ("assistant" if message.role == "assistant" else "user", _blocks(message))
        for message in history
        if message.role != "system"
    ]
    turns = alternating(said, "user", _text(OPENING))
    return [{"role": role, "content": blocks} for role, blocks in turns]


def tools(offered: Sequence[ToolDescription], history: Sequence[ChatMessage]) -> dict[str, Any]:
    """What the request says of tools. Those in the history must be told of, offered or not."""
    if offered:
        return {
            "tools": [
                {
                    "name": tool.name,
                    "description": tool.description,
                    "input_schema": tool.parameters,
                }
                for tool in offered
            ]
        }
    called = dict.fromkeys(call.name for message in history for call in message.tool_calls)
    if not called:
        return {}
    schema = {"type": "object"}
    return {
        "tools": [{"name": name, "input_schema": schema} for name in called],
        "tool_choice": {"type": "none"},
    }


def _blocks(message: ChatMessage) -> list[dict[str, Any]]:
    if message.role == "tool":
        result = {"type": "tool_result", "tool_use_id": _id(message.tool_call_id)}
        return [{**result, "content": message.content}]
    said = [_text(message.content)] if message.content.strip() else []
    return said + [_tool_use(call) for call in message.tool_calls]


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _tool_use(call: ToolCall) -> dict[str, Any]:
    called = {"type": "tool_use", "id": _id(call.id), "name": call.name}
    return {**called, "input": arguments_of(call)}


def _id(given: str) -> str:
    """Another provider's ids may have characters that are refused here."""
    return _NOT_IN_AN_ID.sub("_", given)
