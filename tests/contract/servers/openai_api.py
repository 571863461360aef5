"""OpenAI's chat completions on loopback: the real wire protocol, and a real model behind it."""

from typing import Any

from aiohttp import web

from contract.servers.model_server import ModelServer, Schemas, halves
from parley.messages import ChatMessage, ToolCall
from parley.providers import Usage

_TYPES = {400: "invalid_request_error", 401: "invalid_request_error", 429: "requests"}
_CODES = {401: "invalid_api_key", 429: "rate_limit_exceeded"}


class OpenAIServer(ModelServer):
    """Speaks `POST /v1/chat/completions`, streamed."""

    path = "/v1/chat/completions"

    def __init__(self) -> None:
        super().__init__(Schemas("openai"))

    def settings(self) -> dict[str, Any]:
        return {"baseUrl": f"{self.url}/v1"}

    def environment(self) -> dict[str, str]:
        return {"OPENAI_API_KEY": self.key}

    def key_of(self, request: web.Request) -> str:
        return request.headers.get("Authorization", "").removeprefix("Bearer ")

    def check(self, request: web.Request, body: dict[str, Any]) -> list[str]:
        wrong = [] if body.get("stream") is True else ["a reply that is not streamed"]
        open_calls: set[str] = set()
        for message in body.get("messages", []):
            if message["role"] == "tool":
                if message["tool_call_id"] not in open_calls:
                    wrong.append("a tool's result that nobody asked for")
                open_calls.discard(message["tool_call_id"])
            elif open_calls:
                wrong.append("a tool call without its result")
            open_calls |= {call["id"] for call in message.get("tool_calls") or ()}
        return wrong + (["a tool call without its result"] if open_calls else [])

    def history(self, body: dict[str, Any]) -> list[ChatMessage]:
        return [
            ChatMessage(role=message["role"], content=message["content"] or "")
            for message in body["messages"]
        ]

    def offered(self, body: dict[str, Any]) -> list[str]:
        return [tool["function"]["name"] for tool in body.get("tools", [])]

    def longest(self, body: dict[str, Any]) -> int:
        return int(body.get("max_completion_tokens") or body.get("max_tokens") or 4096)

    def writer(self, body: dict[str, Any]) -> "_Writer":
        return _Writer(self, body)

    def error(self, status: int) -> dict[str, Any]:
        kind = _TYPES.get(status, "server_error")
        message = f"Incorrect API key provided: {self.key}" if status == 401 else "It went wrong."
        error = {"type": kind, "code": _CODES.get(status), "message": message, "param": None}
        return {"error": error}


class _Writer:
    def __init__(self, server: OpenAIServer, body: dict[str, Any]) -> None:
        self._server = server
        self._model = body["model"]
        self._with_usage = (body.get("stream_options") or {}).get("include_usage", False)
        self._has_called = False

    def opening(self) -> str:
        return self._chunk({"role": "assistant", "content": "", "refusal": None})

    def text(self, piece: str) -> str:
        return self._chunk({"content": piece})

    def calls(self, calls: list[ToolCall]) -> str:
        self._has_called = True
        return "".join(self._call(index, call) for index, call in enumerate(calls))

    def _call(self, index: int, call: ToolCall) -> str:
        named = {"index": index, "id": call.id, "type": "function"}
        text = self._chunk(
            {"tool_calls": [{**named, "function": {"name": call.name, "arguments": ""}}]}
        )
        for half in halves(call.arguments):
            piece = {"index": index, "function": {"arguments": half}}
            text += self._chunk({"tool_calls": [piece]})
        return text

    def ending(self, *, too_long: bool, used: Usage) -> str:
        finish = "length" if too_long else "tool_calls" if self._has_called else "stop"
        text = self._chunk({}, finish)
        if self._with_usage:
            total = used.input_tokens + used.output_tokens
            usage = {
                "prompt_tokens": used.input_tokens,
                "completion_tokens": used.output_tokens,
                "total_tokens": total,
            }
            text += self._event(choices=[], usage=usage)
        return text + "data: [DONE]\n\n"

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return self._event(choices=[choice], **({"usage": None} if self._with_usage else {}))

    def _event(self, **said: Any) -> str:
        event = {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1_790_000_000,
            "model": self._model,
            **said,
        }
        return f"data: {self._server.valid('Chunk', event)}\n\n"
