"""Anthropic's Claude, by its Messages API."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from typing import Any

import anthropic

from parley.messages import ChatMessage, Retry, ToolDescription
from parley.providers import (
    Agent,
    AgentCapabilities,
    ProviderError,
    ProviderSettings,
    ReplyPiece,
    Usage,
)
from parley.secret_refs import SecretRef
from parley.statuses import broken_off
from parley_agent.clouds import claude_wire
from parley_agent.clouds.chat_settings import CLOSING_SECONDS, CONNECT_SECONDS, ChatSettings
from parley_agent.clouds.claude_errors import FAILURES, sorted_error
from parley_agent.clouds.tool_calls import CallsInPieces
from parley_agent.clouds.turns import system_prompt
from parley_agent.continuation import asked_to_go_on

WHO = "Claude"


class ClaudeSettings(ChatSettings):
    """Settings of Claude. Keys in agents.yaml are camelCase: `maxTokens`."""

    api_key: SecretRef = "env:ANTHROPIC_API_KEY"
    """Where the key is."""

    model: str = "claude-haiku-5-5"
    """The model's name. It must be one that can answer without thinking first."""


class ClaudeAgent(Agent):
    """Streams replies from Claude, which does not think aloud, nor before it answers."""

    Settings = ClaudeSettings
    settings: ClaudeSettings
    capabilities = AgentCapabilities(continues_reply=True, calls_tools=True)

    def __init__(self, settings: ProviderSettings) -> None:
        super().__init__(settings)
        self.patience = self.settings.patience()
        self._client = anthropic.AsyncAnthropic(
            api_key=self.settings.key(WHO),
            base_url=self.settings.base_url,
            # The caller knows what a late reply is worth.
            max_retries=0,
            timeout=anthropic.Timeout(
                self.patience.between, connect=min(CONNECT_SECONDS, self.patience.first)
            ),
            open_telemetry=False,
        )

    async def generate_response(
        self,
        history: Sequence[ChatMessage],
        *,
        conversation_id: str,
        is_interrupt: bool = False,
        tools: Sequence[ToolDescription] = (),
    ) -> AsyncGenerator[ReplyPiece, None]:
        """Yield the reply piece by piece. Raises ProviderError."""
        reply = _Reply()
        async with self.settings.account(WHO).stream():
            try:
                stream = await self._client.messages.create(**self._request(history, tools))
                async with stream:
                    async for event in stream:
                        if text := reply.take(event):
                            yield text
                        if reply.finish is not None:
                            await _read_to_end(stream)
                            break
            except FAILURES as error:
                raise sorted_error(error, WHO) from None
            for piece in reply.rest():
                yield piece

    def _request(
        self, history: Sequence[ChatMessage], tools: Sequence[ToolDescription]
    ) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self.settings.model,
            "max_tokens": self.settings.max_tokens,
            "messages": claude_wire.messages(asked_to_go_on(history)),
            "thinking": {"type": "disabled"},
            "stream": True,
            **claude_wire.tools(tools, history),
        }
        if system := system_prompt(history):
            request["system"] = system
        return request


class _Reply:
    """A reply as its events tell it."""

    def __init__(self) -> None:
        self.finish: str | None = None
        """Why the reply has ended; None: it has not."""
        self._calls = CallsInPieces()
        self._read = 0
        self._written = 0

    def take(self, event: Any) -> str:
        """Take in an event. The text that it adds to the reply."""
        match event.type:
            case "message_start":
                self._count(event.message.usage)
            case "content_block_start" if event.content_block.type == "tool_use":
                block = event.content_block
                self._calls.add(event.index, call_id=block.id, name=block.name)
            case "content_block_start" if event.content_block.type == "text":
                return str(event.content_block.text or "")
            case "content_block_delta" if event.delta.type == "text_delta":
                return str(event.delta.text)
            case "content_block_delta" if event.delta.type == "input_json_delta":
                self._calls.add(event.index, arguments=event.delta.partial_json)
            case "message_delta":
                self._count(event.usage)
                self.finish = event.delta.stop_reason
        return ""

    def rest(self) -> list[ReplyPiece]:
        """What follows the text. Raises ProviderError unless the reply has come to its end."""
        match self.finish:
            case None:
                raise broken_off(WHO)
            case "refusal":
                raise ProviderError(f"{WHO} would not reply (refusal)", Retry.NEVER)
        return [*self._calls.whole(WHO), Usage(self._read, self._written)]

    def _count(self, usage: Any) -> None:
        """Counts are of all of the reply so far; those of a cache are not among the read ones."""
        cached = (usage.cache_creation_input_tokens or 0) + (usage.cache_read_input_tokens or 0)
        self._read = max(self._read, (usage.input_tokens or 0) + cached)
        self._written = usage.output_tokens or self._written


async def _read_to_end(stream: anthropic.AsyncStream[Any]) -> None:
    """The reply is there: whatever comes now cannot take it back."""
    with suppress(TimeoutError, *FAILURES):
        async with asyncio.timeout(CLOSING_SECONDS):
            async for _ in stream:
                pass
