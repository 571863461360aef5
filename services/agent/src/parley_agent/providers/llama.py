"""The embedded language model: small, on the worker's own CPU, no key and no network.

PARLEY_GGUF or PARLEY_LLM_URL put a better one in its place: see LlamaConfig.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import ClassVar

import openai
from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from parley.messages import ChatMessage, ToolDescription
from parley.profiles import DEFAULT_PROMPT
from parley.providers import Agent, AgentCapabilities, Patience, ProviderSettings
from parley_agent.clouds.chat_stream import ChatModel, client
from parley_agent.continuation import asked_to_go_on
from parley_agent.embedded.examples import with_examples
from parley_agent.embedded.history import tokens, trimmed
from parley_agent.embedded.llama_backend import Backend, open_backend
from parley_agent.embedded.llama_config import LlamaConfig
from parley_agent.embedded.prompts import Ahead, Prompts


class LlamaSettings(ProviderSettings):
    """Settings of the embedded model. Keys in agents.yaml are camelCase: `maxTokens`."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_alias=True)

    temperature: float = Field(default=0.0, ge=0, le=2)
    """How freely words are chosen; 0 always takes the likeliest."""

    max_tokens: int = Field(default=96, gt=0, le=512)
    """The longest reply, in tokens."""

    examples: bool | None = None
    """Put example turns before the history. Default: for SmolLM2 only, which needs them."""


class LlamaAgent(Agent):
    """Writes replies with the model in this process; one model serves all jobs."""

    Settings = LlamaSettings
    settings: LlamaSettings
    capabilities = AgentCapabilities(continues_reply=True, reads_ahead=True)
    patience = Patience(first=20.0, between=10.0)

    _opening: ClassVar[asyncio.Task[Backend] | None] = None

    def __init__(self, settings: ProviderSettings) -> None:
        super().__init__(settings)
        self._model: ChatModel | None = None
        self._prompts = Prompts(self._read)
        self._ahead = Ahead(self._read_words)

    @classmethod
    async def warm_up(cls) -> None:
        """Load the model and let it read the default prompt."""
        backend = await cls._backend()
        if backend.server is not None:
            greeting = [
                ChatMessage(role="system", content=DEFAULT_PROMPT),
                ChatMessage(role="user", content="Hello."),
            ]
            prompt = with_examples(greeting) if backend.wants_examples else greeting
            await asyncio.to_thread(backend.server.prime, prompt)

    @classmethod
    async def shut_down(cls) -> None:
        """Unload the model."""
        opening, cls._opening = cls._opening, None
        if opening is None:
            return
        if not opening.done():
            await asyncio.wait([opening])
        if (
            not opening.cancelled()
            and opening.exception() is None
            and (server := opening.result().server) is not None
        ):
            await asyncio.to_thread(server.close)

    async def generate_response(
        self,
        history: Sequence[ChatMessage],
        *,
        conversation_id: str,
        is_interrupt: bool = False,
        tools: Sequence[ToolDescription] = (),
    ) -> AsyncGenerator[str, None]:
        """Yield the reply piece by piece. Raises ProviderError."""
        backend = await self._backend()
        await self._prompts.settled(history)
        stream = self._chat(backend).stream(self._prompt(history, backend))
        async with self._ahead.reply(history), aclosing(stream) as reply:
            async for text in reply:
                yield text

    async def prepare(self, history: Sequence[ChatMessage]) -> None:
        """Read the prompt now: a long one takes the embedded model seconds."""
        if history[-1].role == "user":
            await self._ahead.read(history)
        else:
            await self._prompts.prepare(history)

    async def _read(self, history: Sequence[ChatMessage]) -> None:
        await self._read_words([*history, ChatMessage(role="user", content="Hello.")])

    async def _read_words(self, history: Sequence[ChatMessage]) -> None:
        backend = await self._backend()
        if backend.server is None:
            return
        model = self._chat(backend)
        reader = replace(model, options={**model.options, "max_tokens": 1})
        async with aclosing(reader.stream(self._prompt(history, backend))) as reply:
            async for _ in reply:
                pass

    def _prompt(self, history: Sequence[ChatMessage], backend: Backend) -> list[ChatMessage]:
        *before, last = history
        if last.role != "assistant":
            return self._fitting(history, backend, backend.tokens - self.settings.max_tokens)
        # The model would not write a word after a space.
        begun = last.model_copy(update={"content": last.content.rstrip()})
        ending = [begun] if backend.continues else asked_to_go_on([begun])
        room = backend.tokens - self.settings.max_tokens - sum(map(tokens, ending))
        return [*self._fitting(before, backend, room), *ending]

    def _fitting(
        self, history: Sequence[ChatMessage], backend: Backend, budget: int
    ) -> list[ChatMessage]:
        wanted = self.settings.examples
        if not (backend.wants_examples if wanted is None else wanted):
            return trimmed(history, budget)
        budget -= sum(map(tokens, with_examples([])))
        return with_examples(trimmed(history, budget))

    def _chat(self, backend: Backend) -> ChatModel:
        if self._model is None:
            self._model = ChatModel(
                _connected(backend, self.patience),
                backend.model,
                backend.who,
                {
                    "temperature": self.settings.temperature,
                    "max_tokens": self.settings.max_tokens,
                    **backend.options,
                },
            )
        return self._model

    @classmethod
    async def _backend(cls) -> Backend:
        """The model, loaded by whoever needs it first; a failed load is tried anew."""
        failed = cls._opening is not None and cls._opening.done() and cls._opening.exception()
        if cls._opening is None or failed:
            load = asyncio.to_thread(open_backend, LlamaConfig())
            cls._opening = asyncio.create_task(load)
        return await asyncio.shield(cls._opening)


def _connected(backend: Backend, patience: Patience) -> openai.AsyncOpenAI:
    found = client(backend.url, backend.key, patience)
    if backend.server is None:
        return found
    # llama.cpp closes a connection after each stream, and a request that comes at once is lost.
    return found.with_options(default_headers={"Connection": "close"})
