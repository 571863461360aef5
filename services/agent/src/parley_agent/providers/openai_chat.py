"""OpenAI, and every server that speaks its chat completions protocol.

The key comes from the environment alone: never from a profile, a message or a log.
"""

import os
from collections.abc import AsyncGenerator, Sequence

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from parley.messages import ChatMessage, Retry
from parley.providers import Agent, AgentCapabilities, Patience, ProviderError, ProviderSettings
from parley_agent.chat_stream import ChatModel, client, name_for_people
from parley_agent.continuation import asked_to_go_on


class OpenAISettings(ProviderSettings):
    """Settings of an OpenAI-compatible model. Keys in agents.yaml are camelCase: `baseUrl`."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_alias=True)

    model: str = "gpt-6-luna"
    """The model's name, as its server calls it."""

    base_url: str | None = Field(default=None, pattern=r"^https?://")
    """The server, such as `http://localhost:11434/v1`. Default: OpenAI."""

    api_key_env: str = Field(default="OPENAI_API_KEY", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """The environment variable that holds the key. A server at `base_url` may need none."""

    temperature: float | None = Field(default=None, ge=0, le=2)
    """How freely words are chosen. Default: the model's own; some models accept no other."""

    max_tokens: int = Field(default=256, gt=0)
    """The longest reply, in tokens."""

    patience_seconds: float = Field(default=5.0, gt=0, le=60)
    """How long it may take to begin its reply, and fall silent in the middle of it."""


class OpenAIAgent(Agent):
    """Streams replies from a chat completions API."""

    Settings = OpenAISettings
    settings: OpenAISettings
    capabilities = AgentCapabilities(continues_reply=True)

    def __init__(self, settings: ProviderSettings) -> None:
        super().__init__(settings)
        key = os.environ.get(self.settings.api_key_env, "")
        if not key and self.settings.base_url is None:
            raise ProviderError(f"OpenAI needs a key in {self.settings.api_key_env}", Retry.NEVER)
        seconds = self.settings.patience_seconds
        self.patience = Patience(first=seconds, between=seconds)
        limit = "max_completion_tokens" if self.settings.base_url is None else "max_tokens"
        options: dict[str, float] = {limit: self.settings.max_tokens}
        if self.settings.temperature is not None:
            options["temperature"] = self.settings.temperature
        self._model = ChatModel(
            client(self.settings.base_url, key or "none", self.patience),
            self.settings.model,
            name_for_people(self.settings.model, self.settings.base_url),
            options,
        )

    def generate_response(
        self, history: Sequence[ChatMessage], *, conversation_id: str, is_interrupt: bool = False
    ) -> AsyncGenerator[str, None]:
        """Yield the reply piece by piece. Raises ProviderError."""
        return self._model.stream(asked_to_go_on(history))
