"""The history and the tools as the Gemini API writes them. Pure."""

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence

from google.genai import types

from parley.messages import ChatMessage, ToolCall, ToolDescription
from parley_agent.clouds.tool_calls import arguments_of, names_of, new_id
from parley_agent.clouds.turns import OPENING, alternating

UNSIGNED = b"skip_thought_signature_validator"
"""Gemini 3 signs the first call of a reply and refuses a history without the signature. This
stands, by its documentation, for that of a call that another model has made."""


def contents(history: Sequence[ChatMessage]) -> list[types.Content]:
    """The request's `contents`; what the history has for the model alone is not among them."""
    names = names_of(history)
    said = [
        ("model" if message.role == "assistant" else "user", _parts(message, names))
        for message in history
        if message.role != "system"
    ]
    turns = alternating(said, "user", types.Part(text=OPENING))
    return [types.Content(role=role, parts=parts) for role, parts in turns]


def tools(offered: Sequence[ToolDescription]) -> list[types.Tool]:
    """The request's `tools`."""
    return [
        types.Tool(
            function_declarations=[
                types.FunctionDeclaration(
                    name=tool.name,
                    description=tool.description,
                    parameters_json_schema=tool.parameters,
                )
                for tool in offered
            ]
        )
    ]


def tool_call(called: types.FunctionCall, part: types.Part) -> ToolCall:
    """The call that a part of a reply makes, with its signature."""
    return ToolCall(
        id=called.id or new_id(),
        name=called.name or "",
        arguments=json.dumps(called.args or {}),
        signature=b64encode(part.thought_signature or b"").decode(),
    )


def _parts(message: ChatMessage, names: dict[str, str]) -> list[types.Part]:
    if message.role == "tool":
        call = message.tool_call_id
        given = types.FunctionResponse(
            id=call, name=names.get(call, call), response={"output": message.content}
        )
        return [types.Part(function_response=given)]
    said = [types.Part(text=message.content)] if message.content.strip() else []
    calls = [_call(call) for call in message.tool_calls]
    if calls and calls[0].thought_signature is None:
        calls[0].thought_signature = UNSIGNED
    return said + calls


def _call(call: ToolCall) -> types.Part:
    called = types.FunctionCall(id=call.id, name=call.name, args=arguments_of(call))
    return types.Part(function_call=called, thought_signature=b64decode(call.signature) or None)
