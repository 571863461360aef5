"""Tries a provider out: its key, a real connection, and the smallest piece of real work."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

from parley import providers
from parley.audio import HEARING_RATE, bytes_for
from parley.messages import ChatMessage, Retry, Spec
from parley.providers import (
    Agent,
    Cue,
    Heard,
    ProviderError,
    SynthesisResult,
    Synthesizer,
    Transcriber,
)
from parley.subjects import Stage

LONGEST_SECONDS = 20.0
"""An embedded model is loaded first."""
_CHUNK_MS = 100
_SILENCE_MS = 600


async def try_out(stage: Stage, spec: Spec) -> float:
    """Have the provider that `spec` asks for do a little. The seconds that it took.

    Raises ProviderError that says what is wrong.
    """
    kind = providers.load(stage, spec.provider)
    settings = providers.settings_for(kind, spec.settings)
    clock = asyncio.get_running_loop().time
    began = clock()
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            if issubclass(kind, Transcriber):
                await _hear(kind(settings, spec.language))
            elif issubclass(kind, Agent):
                await _reply(kind(settings))
            elif issubclass(kind, Synthesizer):
                await _speak(kind(settings, spec.language))
    except TimeoutError:
        raise ProviderError(f"no answer within {LONGEST_SECONDS:g} s", Retry.NOW) from None
    finally:
        await kind.shut_down()
    return clock() - began


async def _hear(transcriber: Transcriber) -> None:
    """Silence in, and a final out."""
    heard = asyncio.Event()

    def emit(result: object) -> None:
        if isinstance(result, Heard) and result.is_final:
            heard.set()

    hearing = asyncio.create_task(transcriber.transcribe(_silence(heard), emit))
    waiting = asyncio.create_task(heard.wait())
    try:
        await asyncio.wait([hearing, waiting], return_when=asyncio.FIRST_COMPLETED)
        if not heard.is_set():
            await hearing
            raise ProviderError("it stopped listening", Retry.NOW)
    finally:
        hearing.cancel()
        waiting.cancel()
        await asyncio.wait([hearing, waiting])


async def _silence(heard: asyncio.Event) -> AsyncIterator[bytes | Cue]:
    chunk = bytes(bytes_for(_CHUNK_MS, HEARING_RATE))
    for _ in range(_SILENCE_MS // _CHUNK_MS):
        yield chunk
        await asyncio.sleep(_CHUNK_MS / 1000)
    yield Cue.FINALIZE
    await heard.wait()


async def _reply(agent: Agent) -> None:
    question = [ChatMessage(role="user", content="Say hello.")]
    async with aclosing(agent.generate_response(question, conversation_id="trial")) as pieces:
        async for piece in pieces:
            if isinstance(piece, str) and piece:
                return
    raise ProviderError("it replied nothing", Retry.NOW)


async def _speak(synthesizer: Synthesizer) -> None:
    result: SynthesisResult = await synthesizer.create_speech("Hello.")
    async with aclosing(result.chunk_generator) as chunks:
        async for chunk in chunks:
            if chunk.chunk:
                return
    raise ProviderError("it spoke nothing", Retry.NOW)
