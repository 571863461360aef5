"""A chat completion as a stream of text, from any server that speaks OpenAI's protocol."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import openai

from parley.messages import ChatMessage, Retry
from parley.providers import Patience, ProviderError
from parley_agent.chat_errors import sorted_error, withheld

CONNECT_SECONDS = 3.0
CLOSING_SECONDS = 0.25
"""What follows the end of a reply is waited for so long: the connection can then be used again."""
NOT_A_CHUNK = (ValueError, TypeError, AttributeError)
"""What the SDK, or the reader of its chunks, raises where the server sent something else."""


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
        finish: str | None = None
        try:
            stream = await self.client.chat.completions.create(
                model=self.name, messages=messages, stream=True, **self.options
            )
            async with stream:
                async for chunk in stream:
                    for choice in chunk.choices[:1]:
                        if choice.delta.content:
                            yield choice.delta.content
                        finish = choice.finish_reason
                    if finish is not None:
                        await _read_to_end(stream)
                        break
        except openai.OpenAIError as error:
            raise sorted_error(error, self.who) from None
        except NOT_A_CHUNK:
            raise ProviderError(f"{self.who} sent what is no reply", Retry.NOW) from None
        self._check(finish)

    def _check(self, finish: str | None) -> None:
        """Raise ProviderError unless the reply has come to its end."""
        match finish:
            # A connection that was cut off cleanly looks like an end, but for this.
            case None | "error":
                raise ProviderError(f"{self.who} broke off in the middle of a reply", Retry.NOW)
            case "content_filter":
                raise withheld(self.who)


async def _read_to_end(stream: openai.AsyncStream[Any]) -> None:
    """The reply is there: whatever comes now cannot take it back."""
    with suppress(TimeoutError, openai.OpenAIError, *NOT_A_CHUNK):
        async with asyncio.timeout(CLOSING_SECONDS):
            async for _ in stream:
                pass


def name_for_people(model: str, base_url: str | None) -> str:
    """What errors call the model. An address may hold a password: only its host is told."""
    return f"the model {model!r} at {urlsplit(base_url).hostname if base_url else 'OpenAI'}"


def client(base_url: str | None, api_key: str, patience: Patience) -> openai.AsyncOpenAI:
    """A client that never retries by itself: the caller knows what a late reply is worth."""
    silence = max(patience.first, patience.between)
    timeout = openai.Timeout(silence, connect=min(CONNECT_SECONDS, patience.first))
    return openai.AsyncOpenAI(base_url=base_url, api_key=api_key, max_retries=0, timeout=timeout)
