"""Google's Gemini, by the Gemini API."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import suppress
from typing import Literal

from google.genai import types
from pydantic import Field

from parley.messages import ChatMessage, ToolCall, ToolDescription
from parley.providers import Agent, AgentCapabilities, ProviderSettings, ReplyPiece, Usage
from parley.secret_refs import SecretRef
from parley.statuses import not_understood, withheld
from parley_agent.clouds import gemini_stream, gemini_wire
from parley_agent.clouds.chat_settings import CLOSING_SECONDS, ChatSettings
from parley_agent.clouds.gemini_errors import FAILURES, check_finish, sorted_error
from parley_agent.clouds.gemini_stream import Chunk
from parley_agent.clouds.turns import system_prompt
from parley_agent.continuation import asked_to_go_on

WHO = "Gemini"


class GeminiSettings(ChatSettings):
    """Settings of Gemini. Keys in agents.yaml are camelCase: `maxTokens`."""

    api_key: SecretRef = "env:GEMINI_API_KEY"
    """Where the key is."""

    model: str = "gemini-3.8-flash"
    """The model's name."""

    temperature: float | None = Field(default=None, ge=0, le=2)
    """How freely words are chosen. Default: the model's own."""

    thinking_level: Literal["minimal", "low", "medium", "high"] | None = "minimal"
    """How much it thinks before it answers; some larger models know no less than `low`. null:
    as much as the model does by itself, as models before Gemini 3 need it."""


class GeminiAgent(Agent):
    """Streams replies from Gemini. Its thoughts are not spoken."""

    Settings = GeminiSettings
    settings: GeminiSettings
    capabilities = AgentCapabilities(continues_reply=True, calls_tools=True)

    def __init__(self, settings: ProviderSettings) -> None:
        super().__init__(settings)
        self.patience = self.settings.patience()
        key = self.settings.key(WHO)
        self._client = gemini_stream.client(key, self.settings.base_url, self.patience)

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
        contents = gemini_wire.contents(asked_to_go_on(history))
        config = self._config(history, tools)
        async with self.settings.account(WHO).stream():
            try:
                asked = gemini_stream.streaming(self._client, self.settings.model, contents, config)
                async with asked as chunks:
                    async for chunk in chunks:
                        if text := reply.take(chunk):
                            yield text
                        if reply.finish is not None:
                            await _read_to_end(chunks, reply)
                            break
            except FAILURES as error:
                raise sorted_error(error, WHO) from None
            for piece in reply.rest():
                yield piece

    def _config(
        self, history: Sequence[ChatMessage], tools: Sequence[ToolDescription]
    ) -> types.GenerateContentConfig:
        level = self.settings.thinking_level
        return types.GenerateContentConfig(
            system_instruction=system_prompt(history) or None,
            max_output_tokens=self.settings.max_tokens,
            temperature=self.settings.temperature,
            thinking_config=level
            and types.ThinkingConfig(thinking_level=types.ThinkingLevel(level.upper())),
            tools=gemini_wire.tools(tools) if tools else None,
            # The SDK would call tools, and ask for more of a reply, by itself.
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
            automatic_continuation=False,
        )


class _Reply:
    """A reply as its chunks tell it."""

    def __init__(self) -> None:
        self.finish: types.FinishReason | None = None
        """Why the reply has ended; None: it has not."""
        self._calls: list[ToolCall] = []
        self._usage: Usage | None = None

    def take(self, chunk: Chunk) -> str:
        """Take in a chunk. The text that it adds to the reply. Raises ProviderError."""
        if (used := chunk.usage_metadata) is not None:
            written = (used.candidates_token_count or 0) + (used.thoughts_token_count or 0)
            self._usage = Usage(used.prompt_token_count or 0, written)
        if chunk.prompt_feedback is not None and chunk.prompt_feedback.block_reason:
            raise withheld(WHO)
        if not chunk.candidates:
            return ""
        candidate = chunk.candidates[0]
        self.finish = candidate.finish_reason or self.finish
        parts = (candidate.content and candidate.content.parts) or []
        self._calls += [_call(part) for part in parts if part.function_call is not None]
        return "".join(part.text for part in parts if part.text and not part.thought)

    def rest(self) -> list[ReplyPiece]:
        """What follows the text. Raises ProviderError unless the reply has come to its end."""
        check_finish(self.finish, WHO)
        return [*self._calls, *([self._usage] if self._usage is not None else [])]


def _call(part: types.Part) -> ToolCall:
    called = part.function_call
    if called is None or not called.name:
        raise not_understood(WHO)
    return gemini_wire.tool_call(called, part)


async def _read_to_end(chunks: AsyncIterator[Chunk], reply: _Reply) -> None:
    """The reply is there: whatever comes now cannot take it back."""
    with suppress(TimeoutError, *FAILURES):
        async with asyncio.timeout(CLOSING_SECONDS):
            async for chunk in chunks:
                reply.take(chunk)
