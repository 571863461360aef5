"""A chat completion as a stream, from any server that speaks OpenAI's protocol."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import openai

from parley.messages import ChatMessage, Retry, ToolDescription
from parley.providers import Patience, ProviderError, ReplyPiece, Usage
from parley.statuses import withheld
from parley_agent.clouds import chat_wire
from parley_agent.clouds.chat_errors import sorted_error
from parley_agent.clouds.chat_settings import CLOSING_SECONDS, CONNECT_SECONDS
from parley_agent.clouds.tool_calls import CallsInPieces

NOT_A_CHUNK = (ValueError, TypeError, AttributeError)
"""What the SDK, or the reader of its chunks, raises where the server sent something else."""


@dataclass
class ChatModel:
    """A model behind a chat completions API, and how it is asked."""

    client: openai.AsyncOpenAI
    name: str
    who: str
    options: dict[str, Any] = field(default_factory=dict)
    counts_usage: bool = False
    """Ask what a reply has cost. Turned off where the server does not know the question."""

    async def stream(self, history: Sequence[ChatMessage]) -> AsyncGenerator[str, None]:
        """Yield the reply's text alone: see `pieces`."""
        async with aclosing(self.pieces(history)) as pieces:
            async for piece in pieces:
                if isinstance(piece, str):
                    yield piece

    async def pieces(
        self, history: Sequence[ChatMessage], tools: Sequence[ToolDescription] = ()
    ) -> AsyncGenerator[ReplyPiece, None]:
        """Yield the reply's text, then its tool calls, then what it has cost, if that is known.

        Closing the generator closes the connection at once, so that generation stops. Raises
        ProviderError.
        """
        calls = CallsInPieces()
        finish: str | None = None
        usage: Usage | None = None
        try:
            async with await self._ask(history, tools) as stream:
                async for chunk in stream:
                    usage = _usage(chunk) or usage
                    for choice in chunk.choices[:1]:
                        _collect(choice.delta.tool_calls or (), calls)
                        if choice.delta.content:
                            yield choice.delta.content
                        finish = choice.finish_reason
                    if finish is not None:
                        usage = await _read_to_end(stream) or usage
                        break
        except openai.OpenAIError as error:
            raise sorted_error(error, self.who) from None
        except NOT_A_CHUNK:
            raise ProviderError(f"{self.who} sent what is no reply", Retry.NOW) from None
        self._check(finish)
        for call in calls.whole(self.who):
            yield call
        if usage is not None:
            yield usage

    async def _ask(
        self, history: Sequence[ChatMessage], tools: Sequence[ToolDescription]
    ) -> openai.AsyncStream[Any]:
        asked: dict[str, Any] = {
            "model": self.name,
            "messages": chat_wire.messages(history),
            "stream": True,
            **self.options,
        }
        if tools:
            asked["tools"] = chat_wire.tools(tools)
        if self.counts_usage:
            try:
                return await self._create({**asked, "stream_options": {"include_usage": True}})
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                if "stream_options" not in str(error.body):
                    raise
                self.counts_usage = False
        return await self._create(asked)

    async def _create(self, asked: dict[str, Any]) -> openai.AsyncStream[Any]:
        stream: openai.AsyncStream[Any] = await self.client.chat.completions.create(**asked)
        return stream

    def _check(self, finish: str | None) -> None:
        """Raise ProviderError unless the reply has come to its end."""
        match finish:
            # A connection that was cut off cleanly looks like an end, but for this.
            case None | "error":
                raise ProviderError(f"{self.who} broke off in the middle of a reply", Retry.NOW)
            case "content_filter":
                raise withheld(self.who)


def _collect(pieces: Sequence[Any], calls: CallsInPieces) -> None:
    for piece in pieces:
        function = piece.function
        calls.add(
            piece.index,
            call_id=piece.id or "",
            name=(function and function.name) or "",
            arguments=(function and function.arguments) or "",
        )


def _usage(chunk: Any) -> Usage | None:
    if (used := getattr(chunk, "usage", None)) is None:
        return None
    return Usage(used.prompt_tokens or 0, used.completion_tokens or 0)


async def _read_to_end(stream: openai.AsyncStream[Any]) -> Usage | None:
    """The reply is there: whatever comes now cannot take it back. What it has cost, if told."""
    usage = None
    with suppress(TimeoutError, openai.OpenAIError, *NOT_A_CHUNK):
        async with asyncio.timeout(CLOSING_SECONDS):
            async for chunk in stream:
                usage = _usage(chunk) or usage
    return usage


def name_for_people(model: str, base_url: str | None) -> str:
    """What errors call the model. An address may hold a password: only its host is told."""
    return f"the model {model!r} at {urlsplit(base_url).hostname if base_url else 'OpenAI'}"


def client(base_url: str | None, api_key: str, patience: Patience) -> openai.AsyncOpenAI:
    """A client that never retries by itself: the caller knows what a late reply is worth."""
    silence = max(patience.first, patience.between)
    timeout = openai.Timeout(silence, connect=min(CONNECT_SECONDS, patience.first))
    return openai.AsyncOpenAI(base_url=base_url, api_key=api_key, max_retries=0, timeout=timeout)
