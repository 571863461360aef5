"""The history and the tools as OpenAI's protocol writes them. Pure."""

from collections.abc import Sequence
from typing import Any

from parley.messages import ChatMessage, ToolDescription


def messages(history: Sequence[ChatMessage]) -> list[dict[str, Any]]:
    """The request's `messages`."""
    return [_message(message) for message in history]


def tools(offered: Sequence[ToolDescription]) -> list[dict[str, Any]]:
    """The request's `tools`."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
            },
        }
        for tool in offered
    ]


def _message(message: ChatMessage) -> dict[str, Any]:
    if message.role == "tool":
        return {
            "role": "tool",
            "tool_call_id": message.tool_call_id,
            "content": message.content,
        }
    written: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        written["content"] = message.content or None
        written["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    return written
