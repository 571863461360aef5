"""Gemini's SDK, so that a stream can be closed.

The SDK wraps a stream in generators within generators. Closing the outermost leaves it to the
garbage collector to close the others, and with them the connection, some time later. So the
connection is noted as it opens, and closed here.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

import httpx2
from google import genai
from google.genai import types
from google.genai.client import AsyncClient

from parley.providers import Patience
from parley_agent.clouds.chat_settings import CONNECT_SECONDS

Chunk = types.GenerateContentResponse

_begun: ContextVar[list[httpx2.Response]] = ContextVar("begun")
"""Where a response is noted as it begins."""


def client(key: str, base_url: str | None, patience: Patience) -> AsyncClient:
    """A client that never retries by itself: the caller knows what a late reply is worth."""
    silence = max(patience.first, patience.between)
    limits = httpx2.Timeout(silence, connect=min(CONNECT_SECONDS, patience.first)).as_dict()

    async def limit(request: httpx2.Request) -> None:
        # The SDK's own timeout would be told to the service as a deadline for the whole reply.
        request.extensions["timeout"] = limits

    # Left alone, the SDK takes aiohttp or httpx2, whichever is installed.
    http = httpx2.AsyncClient(event_hooks={"request": [limit], "response": [_note]})
    options = types.HttpOptions(base_url=base_url, api_version="v1", httpx_async_client=http)
    return genai.Client(vertexai=False, api_key=key, http_options=options).aio


@asynccontextmanager
async def streaming(
    client: AsyncClient,
    model: str,
    contents: list[types.Content],
    config: types.GenerateContentConfig,
) -> AsyncIterator[AsyncIterator[Chunk]]:
    """The reply's chunks. Leaving closes the connection at once, wherever the reply is."""
    responses: list[httpx2.Response] = []
    before = _begun.set(responses)
    try:
        # Nothing is asked before the first chunk is.
        chunks = await client.models.generate_content_stream(
            model=model, contents=list(contents), config=config
        )
        first = await anext(chunks, None)
    finally:
        _begun.reset(before)
    try:
        yield _all(first, chunks)
    finally:
        for response in responses:
            await response.aclose()


async def _all(first: Chunk | None, chunks: AsyncIterator[Chunk]) -> AsyncIterator[Chunk]:
    if first is not None:
        yield first
        async for chunk in chunks:
            yield chunk


async def _note(response: httpx2.Response) -> None:
    if (responses := _begun.get(None)) is not None:
        responses.append(response)
