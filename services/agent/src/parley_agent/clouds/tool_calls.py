"""A model's tool calls, put together from the pieces that they are streamed in. Pure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from parley.messages import ChatMessage, ToolCall
from parley.statuses import not_understood


@dataclass
class _Begun:
    id: str = ""
    name: str = ""
    arguments: str = ""


class CallsInPieces:
    """Collects calls; pieces of the same call come with the same index.

    Some servers give all calls of a reply the same index: a new id begins a new call.
    """

    def __init__(self) -> None:
        self._calls: list[_Begun] = []
        self._at: dict[int | None, _Begun] = {}

    def add(
        self, index: int | None, *, call_id: str = "", name: str = "", arguments: str = ""
    ) -> None:
        """Take in a piece of a call; its id and its name come with the first one."""
        call = self._at.get(index)
        if call is None or (call_id and call.id and call_id != call.id):
            call = self._at[index] = _Begun()
            self._calls.append(call)
        call.id = call.id or call_id
        call.name = call.name or name
        call.arguments += arguments

    def whole(self, who: str) -> list[ToolCall]:
        """All calls, now that the reply has come to its end.

        Raises ProviderError where one of them is broken: cut off by `maxTokens`, for example.
        """
        return [_whole(call, who) for call in self._calls]


def arguments_of(call: ToolCall) -> dict[str, Any]:
    """The call's arguments. Raises ValueError where they are no JSON object."""
    arguments = json.loads(call.arguments or "{}")
    if not isinstance(arguments, dict):
        raise ValueError("a tool's arguments must be an object")
    return arguments


def names_of(history: Sequence[ChatMessage]) -> dict[str, str]:
    """The names of the tools that were called in the history, by the ids of the calls."""
    return {call.id: call.name for message in history for call in message.tool_calls}


def new_id() -> str:
    """An id for a call to which its server gave none."""
    return f"call_{uuid4().hex}"


def _whole(begun: _Begun, who: str) -> ToolCall:
    arguments = begun.arguments if begun.arguments.strip() else "{}"
    call = ToolCall(id=begun.id or new_id(), name=begun.name, arguments=arguments)
    try:
        arguments_of(call)
    except ValueError:
        raise not_understood(who) from None
    if not call.name:
        raise not_understood(who)
    return call
