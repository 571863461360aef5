"""The Gemini API on loopback: the real wire protocol, and a real model behind it."""

import json
from base64 import b64encode
from typing import Any

from aiohttp import web

from contract.servers.base import RETRY_AFTER
from contract.servers.model_server import ModelServer, Schemas
from parley.messages import ChatMessage, ToolCall
from parley.providers import Usage

SIGNATURE = b64encode(b"signed by the model").decode()
_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
}


class GeminiServer(ModelServer):
    """Speaks `POST /v1/models/{model}:streamGenerateContent?alt=sse`."""

    path = "/v1/models/{model:[^:/]+}:streamGenerateContent"

    def __init__(self) -> None:
        super().__init__(Schemas("gemini"))

    def settings(self) -> dict[str, Any]:
        return {"baseUrl": self.url}

    def environment(self) -> dict[str, str]:
        return {"GEMINI_API_KEY": self.key}

    def key_of(self, request: web.Request) -> str:
        return request.headers.get("x-goog-api-key", "")

    def check(self, request: web.Request, body: dict[str, Any]) -> list[str]:
        wrong = [] if request.query.get("alt") == "sse" else ["no alt=sse"]
        contents = body.get("contents", [])
        if contents and contents[0]["role"] != "user":
            wrong.append("the first turn is not the user's")
        open_calls: list[str] = []
        for content in contents:
            given = [p["functionResponse"] for p in content["parts"] if "functionResponse" in p]
            if [one["name"] for one in given] != open_calls:
                wrong.append("function calls and their responses do not match")
            calls = [part for part in content["parts"] if "functionCall" in part]
            if calls and "thoughtSignature" not in calls[0]:
                wrong.append("a function call without its signature")
            open_calls = [part["functionCall"]["name"] for part in calls]
        return wrong

    def history(self, body: dict[str, Any]) -> list[ChatMessage]:
        system = body.get("systemInstruction", {}).get("parts", [])
        told = [ChatMessage(role="system", content=part["text"]) for part in system]
        return told + [
            _message(content["role"], part)
            for content in body["contents"]
            for part in content["parts"]
        ]

    def offered(self, body: dict[str, Any]) -> list[str]:
        return [
            function["name"]
            for tool in body.get("tools", [])
            for function in tool["functionDeclarations"]
        ]

    def longest(self, body: dict[str, Any]) -> int:
        return int(body.get("generationConfig", {}).get("maxOutputTokens", 4096))

    def writer(self, body: dict[str, Any]) -> "_Writer":
        return _Writer(self)

    def error(self, status: int) -> dict[str, Any]:
        message = f"API key not valid: {self.key}" if status == 401 else "It went wrong."
        error: dict[str, Any] = {
            "code": status,
            "message": message,
            "status": _STATUSES.get(status, "UNKNOWN"),
        }
        if status == 429:
            kind = "type.googleapis.com/google.rpc.RetryInfo"
            error["details"] = [{"@type": kind, "retryDelay": f"{RETRY_AFTER}s"}]
        return {"error": error}


class _Writer:
    def __init__(self, server: GeminiServer) -> None:
        self._server = server

    def opening(self) -> str:
        return self._chunk([{"text": "I must think about this.", "thought": True}])

    def text(self, piece: str) -> str:
        return self._chunk([{"text": piece}])

    def calls(self, calls: list[ToolCall]) -> str:
        parts: list[dict[str, Any]] = [
            {"functionCall": {"id": call.id, "name": call.name, "args": json.loads(call.arguments)}}
            for call in calls
        ]
        parts[0]["thoughtSignature"] = SIGNATURE
        return self._chunk(parts)

    def ending(self, *, too_long: bool, used: Usage) -> str:
        usage = {
            "promptTokenCount": used.input_tokens,
            "candidatesTokenCount": used.output_tokens,
            "thoughtsTokenCount": 1,
            "totalTokenCount": used.input_tokens + used.output_tokens + 1,
        }
        finish = "MAX_TOKENS" if too_long else "STOP"
        return self._chunk([{"text": ""}], finish=finish, usage=usage)

    def _chunk(
        self,
        parts: list[dict[str, Any]],
        finish: str | None = None,
        usage: dict[str, int] | None = None,
    ) -> str:
        candidate = {"index": 0, "content": {"role": "model", "parts": parts}}
        chunk = {
            "candidates": [candidate | ({"finishReason": finish} if finish else {})],
            "modelVersion": "contract",
            **({"usageMetadata": usage} if usage else {}),
        }
        return f"data: {self._server.valid('Chunk', chunk)}\r\n\r\n"


def _message(role: str, part: dict[str, Any]) -> ChatMessage:
    if "functionResponse" in part:
        given = part["functionResponse"]["response"]
        return ChatMessage(role="tool", content=str(given.get("output", given)))
    text = part.get("text", "")
    return ChatMessage(role="assistant" if role == "model" else "user", content=text)
