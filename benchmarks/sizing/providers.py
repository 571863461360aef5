"""The cloud, in a process of its own: servers that speak its protocols, and think of nothing.

They are those of the contract tests, with what costs time put aside: speech is told from silence by
its level, its words are known beforehand, so are the model's reply and the sound of the voice, and
nobody checks the protocol.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import numpy as np
import uvloop

from benchmarks.chaos.script import FIRST_QUESTION, REPLY
from contract.servers import brain, deepgram, ear, hum, model_server, over_http
from contract.servers.base import ContractServer
from contract.servers.elevenlabs import ElevenLabsServer
from contract.servers.openai_api import OpenAIServer
from parley.messages import ChatMessage

WORD_MS = 350.0
"""How long the voice takes for a word: the reply lasts 7.7 s."""
WORDS_PER_SECOND = 50
"""How fast the model writes, a word at a time."""
CAPACITY = 100
"""Jobs that a worker takes: more than are ever measured."""
USED = (
    ("stt", "transcriber", "deepgram"),
    ("agent", "llm", "openai"),
    ("tts", "voice", "elevenlabs"),
)
"""Stages, their keys in a profile, and their providers."""
LOUD = 500
"""A window with a sample beyond this has voice in it. The callers' silence is digital."""


@dataclass(frozen=True)
class Clouds:
    """What an agent, and the workers' environment, must have to use the servers."""

    profile: dict[str, Any]
    settings: dict[str, dict[str, str]]


@contextmanager
def standing_in() -> Iterator[Clouds]:
    """Run the servers while it lasts."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.sizing.providers"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            yield Clouds(**json.loads(process.stdout.readline()))
        finally:
            process.stdin.close()


def _loud(_: ear.Ear, window: bytes) -> float:
    return float(np.abs(np.frombuffer(window, "<i2").astype(np.int32)).max() > LOUD)


async def _here(function: Callable[..., Any], *arguments: object) -> Any:
    return function(*arguments)


async def _nothing() -> None:
    pass


async def _reply(history: Sequence[ChatMessage]) -> AsyncGenerator[str, None]:
    for word in REPLY.split():
        yield f"{word} "
        await asyncio.sleep(1 / WORDS_PER_SECOND)


def _unchecked(*_: object) -> list[str]:
    return []


CHEAP = (
    (ear.Ear, "_voice", _loud),
    (ear, "_in_thread", _here),
    (ear, "_recognise", lambda pcm: FIRST_QUESTION),
    (brain, "warm_up", _nothing),
    (brain, "reply", _reply),
    (hum, "WORD_MS", WORD_MS),
    (deepgram, "violations", _unchecked),
    (model_server.Schemas, "wrong", _unchecked),
    (over_http.Published, "faults_of", _unchecked),
)
"""What stands in for what."""


async def _serve() -> None:
    servers: tuple[ContractServer, ...] = (
        deepgram.DeepgramServer(),
        OpenAIServer(),
        ElevenLabsServer(hum.hum),
    )
    async with AsyncExitStack() as stack:
        for server in servers:
            await stack.enter_async_context(server)
        profile: dict[str, Any] = {}
        settings: dict[str, dict[str, str]] = {}
        for (stage, place, provider), server in zip(USED, servers, strict=True):
            profile |= {f"{place}Provider": provider, place: server.settings()}
            loaded = {"PARLEY_WARM": provider, "PARLEY_CAPACITY": str(CAPACITY)}
            settings[stage] = {**loaded, **server.environment()}
        print(json.dumps({"profile": profile, "settings": settings}), flush=True)
        await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    """Serve until the standard input is closed."""
    with ExitStack() as patches:
        for where, name, cheap in CHEAP:
            patches.enter_context(patch.object(where, name, cheap))
        uvloop.run(_serve())


if __name__ == "__main__":
    main()
