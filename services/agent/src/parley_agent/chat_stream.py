"""A chat completion as a stream of text, from any server that speaks OpenAI's protocol."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import openai

from parley.messages import ChatMessage, Retry
from parley.providers import ProviderError
from parley_agent.chat_errors import sorted_error

CONNECT_SECONDS = 3.0
FIRST_TOKEN_SECONDS = 20.0
"""No silence of the server may be longer, before the first token or between two."""


@dataclass(frozen=True)
class ChatModel:
    """A model behind a chat completions API, and how it is asked."""

    client: openai.AsyncOpenAI
    name: str
    who: str
    options: dict[str, Any] = field(default_factory=dict)

    async def stream(self, history: Sequence[ChatMessage]) -> AsyncGenerator[str, None]:
        """Yield the reply's text. Closing the generator closes the connection at once, so
        that generation stops. Raises ProviderError.
        """
        messages: Any = [message.model_dump() for message in history]
        finished = False
        try:
            stream = await self.client.chat.completions.create(
                model=self.name, messages=messages, stream=True, **self.options
            )
            async with stream:
                async for chunk in stream:
                    for choice in chunk.choices[:1]:
                        finished = finished or choice.finish_reason is not None
                        if choice.delta.content:
                            yield choice.delta.content
        except openai.OpenAIError as error:
            raise sorted_error(error, self.who) from None
        # A connection that was cut off cleanly looks like an end, but for this.
        if not finished:
            raise ProviderError(f"{self.who} broke off in the middle of a reply", Retry.NOW)


def name_for_people(model: str, base_url: str | None) -> str:
    """What errors call the model. An address may hold a password: only its host is told."""
    return f"the model {model!r} at {urlsplit(base_url).hostname if base_url else 'OpenAI'}"


def client(base_url: str | None, api_key: str) -> openai.AsyncOpenAI:
    """A client that never retries by itself: the caller knows what a late reply is worth."""
    timeout = openai.Timeout(FIRST_TOKEN_SECONDS, connect=CONNECT_SECONDS)
    return openai.AsyncOpenAI(base_url=base_url, api_key=api_key, max_retries=0, timeout=timeout)
