"""Anthropic's Messages API on loopback: the real wire protocol, and a real model behind it."""

from itertools import pairwise
from typing import Any

from aiohttp import web

from contract.servers.model_server import ModelServer, Schemas, halves
from parley.messages import ChatMessage, ToolCall
from parley.providers import Usage

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
    500: "api_error",
}


class AnthropicServer(ModelServer):
    """Speaks `POST /v1/messages`, streamed."""

    path = "/v1/messages"
    malformed = "event: content_block_delta\ndata: {not json\n\n"

    def __init__(self) -> None:
        super().__init__(Schemas("anthropic"))

    def settings(self) -> dict[str, Any]:
        return {"baseUrl": self.url}

    def environment(self) -> dict[str, str]:
        return {"ANTHROPIC_API_KEY": self.key}

    def key_of(self, request: web.Request) -> str:
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return bearer or request.headers.get("x-api-key", "")

    def check(self, request: web.Request, body: dict[str, Any]) -> list[str]:
        wrong = [] if "anthropic-version" in request.headers else ["no anthropic-version"]
        messages = body.get("messages", [])
        if messages and messages[0]["role"] != "user":
            wrong.append("the first message is not the user's")
        if any(a["role"] == b["role"] for a, b in pairwise(messages)):
            wrong.append("two turns in a row of the same role")
        open_calls: list[str] = []
        for message in messages:
            given = [b["tool_use_id"] for b in _blocks(message) if b["type"] == "tool_result"]
            if sorted(given) != sorted(open_calls):
                wrong.append("tool calls and their results do not match")
            if given and _blocks(message)[0]["type"] != "tool_result":
                wrong.append("a tool's result is not at the beginning of its message")
            open_calls = [b["id"] for b in _blocks(message) if b["type"] == "tool_use"]
            if open_calls and not body.get("tools"):
                wrong.append("tool calls in the history, but no tools")
        return wrong

    def history(self, body: dict[str, Any]) -> list[ChatMessage]:
        system = body.get("system")
        told = [ChatMessage(role="system", content=system)] if system else []
        return told + [
            ChatMessage(
                role="tool" if block["type"] == "tool_result" else message["role"],
                content=block.get("text") or block.get("content") or "",
            )
            for message in body["messages"]
            for block in _blocks(message)
        ]

    def offered(self, body: dict[str, Any]) -> list[str]:
        if body.get("tool_choice", {}).get("type") == "none":
            return []
        return [tool["name"] for tool in body.get("tools", [])]

    def longest(self, body: dict[str, Any]) -> int:
        return int(body["max_tokens"])

    def writer(self, body: dict[str, Any]) -> "_Writer":
        return _Writer(self, body)

    def error(self, status: int) -> dict[str, Any]:
        message = f"invalid x-api-key {self.key}" if status == 401 else "It went wrong."
        return {
            "type": "error",
            "error": {"type": _TYPES.get(status, "api_error"), "message": message},
            "request_id": "req_1",
        }


class _Writer:
    def __init__(self, server: AnthropicServer, body: dict[str, Any]) -> None:
        self._server = server
        self._model = body["model"]
        self._index = 0
        self._in_text = False
        self._has_called = False

    def opening(self) -> str:
        message = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {
                "input_tokens": 1,
                "cache_read_input_tokens": 2,
                "cache_creation_input_tokens": None,
                "output_tokens": 1,
            },
        }
        return self._event("message_start", message=message) + self._event("ping")

    def text(self, piece: str) -> str:
        begins = "" if self._in_text else self._begins({"type": "text", "text": ""})
        self._in_text = True
        return begins + self._delta({"type": "text_delta", "text": piece})

    def calls(self, calls: list[ToolCall]) -> str:
        self._has_called = True
        return self._end_of_text() + "".join(self._call(call) for call in calls)

    def _call(self, call: ToolCall) -> str:
        block = {"type": "tool_use", "id": f"toolu_{call.id}", "name": call.name, "input": {}}
        pieces = ("", *halves(call.arguments))
        deltas = [self._delta({"type": "input_json_delta", "partial_json": p}) for p in pieces]
        return self._begins(block) + "".join(deltas) + self._ends()

    def ending(self, *, too_long: bool, used: Usage) -> str:
        finish = "max_tokens" if too_long else "tool_use" if self._has_called else "end_turn"
        delta = {"stop_reason": finish, "stop_sequence": None}
        usage = {"output_tokens": used.output_tokens, "input_tokens": used.input_tokens}
        return (
            self._end_of_text()
            + self._event("message_delta", delta=delta, usage=usage)
            + self._event("message_stop")
        )

    def _end_of_text(self) -> str:
        ends = self._ends() if self._in_text else ""
        self._in_text = False
        return ends

    def _begins(self, block: dict[str, Any]) -> str:
        return self._event("content_block_start", index=self._index, content_block=block)

    def _delta(self, delta: dict[str, Any]) -> str:
        return self._event("content_block_delta", index=self._index, delta=delta)

    def _ends(self) -> str:
        self._index += 1
        return self._event("content_block_stop", index=self._index - 1)

    def _event(self, kind: str, **said: Any) -> str:
        text = self._server.valid("Event", {"type": kind, **said})
        return f"event: {kind}\ndata: {text}\n\n"


def _blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content
