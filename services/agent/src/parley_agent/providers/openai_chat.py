"""OpenAI, and every server that speaks its chat completions protocol."""

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field

from parley.messages import ChatMessage, ToolDescription
from parley.providers import Agent, AgentCapabilities, ProviderError, ProviderSettings, ReplyPiece
from parley.secret_refs import SecretRef
from parley_agent.clouds.chat_settings import ChatSettings
from parley_agent.clouds.chat_stream import ChatModel, client, name_for_people
from parley_agent.continuation import asked_to_go_on

_CAN_ANSWER_AT_ONCE = re.compile(r"gpt-(5\.|[6-9]|\d\d)")
"""OpenAI's models that think, unless told not to; with tools they must be told."""


class OpenAISettings(ChatSettings):
    """Settings of an OpenAI-compatible model. Keys in agents.yaml are camelCase: `baseUrl`."""

    api_key: SecretRef = "env:OPENAI_API_KEY"
    """Where the key is. A server at `base_url` may need none."""

    model: str = "gpt-6-luna"
    """The model's name, as its server calls it."""

    temperature: float | None = Field(default=None, ge=0, le=2)
    """How freely words are chosen. Default: the model's own; some models accept no other."""

    reasoning_effort: str | None = None
    """How much it thinks before it answers, where it can be told: `none`, `low`, ... Default:
    `none` for OpenAI's GPT-5.1 and later, the model's own for all others."""

    def key(self, who: str) -> str:
        """The key itself. Raises ProviderError where one is needed and not to be found."""
        try:
            return super().key(who)
        except ProviderError:
            if self.base_url is None or "api_key" in self.model_fields_set:
                raise
            return "none"

    def options(self) -> dict[str, Any]:
        """What each request says, beside the conversation."""
        # Other servers know the older name only, OpenAI's models that think the newer only.
        limit = "max_completion_tokens" if self._is_openai else "max_tokens"
        options: dict[str, Any] = {limit: self.max_tokens}
        if self.temperature is not None:
            options["temperature"] = self.temperature
        effort = self.reasoning_effort
        if effort is None and self._is_openai and _CAN_ANSWER_AT_ONCE.match(self.model):
            effort = "none"
        if effort is not None:
            options["reasoning_effort"] = effort
        return options

    @property
    def _is_openai(self) -> bool:
        host = urlsplit(self.base_url or "https://api.openai.com").hostname or ""
        return host == "openai.com" or host.endswith(".openai.com")


class OpenAIAgent(Agent):
    """Streams replies from a chat completions API."""

    Settings = OpenAISettings
    settings: OpenAISettings
    capabilities = AgentCapabilities(continues_reply=True, calls_tools=True)

    def __init__(self, settings: ProviderSettings) -> None:
        super().__init__(settings)
        self.patience = self.settings.patience()
        self._model = ChatModel(
            client(self.settings.base_url, self.settings.key("OpenAI"), self.patience),
            self.settings.model,
            name_for_people(self.settings.model, self.settings.base_url),
            self.settings.options(),
            counts_usage=True,
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
        async with self.settings.account("OpenAI").stream():
            asked = self._model.pieces(asked_to_go_on(history), tools)
            async with aclosing(asked) as pieces:
                async for piece in pieces:
                    yield piece
