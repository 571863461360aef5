"""A spoken call through the real services with cloud providers, whose servers stand on loopback."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from conformance.candidates import CANDIDATES
from contract.servers.base import ContractServer
from parley.subjects import Stage
from parley_cli.call import Options, connect
from support import listener, recordings, words
from support.engine import STAGES, Engine

pytestmark = [
    pytest.mark.engine,
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="module"),
]

CALLS = {
    "premium": ("deepgram", "openai", "elevenlabs"),
    "flux": ("deepgram-flux", "openai", "elevenlabs"),
    "budget": ("assemblyai", "gemini", "google"),
    "enterprise": ("azure", "openai", "azure"),
    "languages": ("google", "claude", "polly"),
    "legacy": ("moonshine", "llama", "playht"),
}
"""Agents by name: transcriber, agent, synthesizer."""
PROVIDER_KEYS = (
    (Stage.STT, "transcriberProvider", "transcriber"),
    (Stage.AGENT, "llmProvider", "llm"),
    (Stage.TTS, "voiceProvider", "voice"),
)
SPEECH = "clone-test.wav"


class Providers:
    """The stand-ins of all providers that the calls need, each once."""

    def __init__(self) -> None:
        self._places = {(one.stage, one.name): one.server for one in CANDIDATES if one.server}
        self.servers: dict[str, ContractServer] = {}

    def profile(self, names: tuple[str, str, str]) -> dict[str, Any]:
        """The agent with these providers; their servers must be there."""
        profile: dict[str, Any] = {"prompt": "Answer in one short sentence."}
        for (stage, provider, settings), name in zip(PROVIDER_KEYS, names, strict=True):
            profile[provider] = name
            if place := self._places.get((stage, name)):
                profile[settings] = self.servers[place].settings()
        return profile

    async def start(self, stack: AsyncExitStack) -> None:
        by_place = {one.server: one for one in CANDIDATES if one.server}
        for place, candidate in by_place.items():
            self.servers[place] = await stack.enter_async_context(candidate.make_server())

    @property
    def environment(self) -> dict[str, str]:
        """All keys."""
        return {
            name: value
            for server in self.servers.values()
            for name, value in server.environment().items()
        }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cloud(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[Engine, Providers]]:
    providers = Providers()
    async with AsyncExitStack() as stack:
        await providers.start(stack)
        profiles = {name: providers.profile(names) for name, names in CALLS.items()}
        keys = dict.fromkeys(STAGES, providers.environment)
        engine = Engine(tmp_path_factory.mktemp("cloud"), profiles, settings=keys)
        await asyncio.to_thread(engine.__enter__)
        try:
            yield engine, providers
        finally:
            await asyncio.to_thread(engine.stop)


@pytest.mark.parametrize("agent", CALLS)
async def test_a_call(cloud: tuple[Engine, Providers], agent: str) -> None:
    """A question is understood and answered, the answer can be heard, and can be interrupted."""
    engine, providers = cloud
    speech = np.frombuffer(recordings.recording(SPEECH), "<i2")
    async with connect(engine.url, Options(agent=agent)) as call:
        call.play(speech)
        spoken = await call.wait_for("spoken", turn=1, timeout=60, cut_off=False)
        await call.until(lambda: not call.playback.playing, 10)
        heard = listener.listen(call.bot_audio.tobytes())
        final = await call.wait_for("transcription", is_final=True)
        assert "america" in final.data["message"].lower()
        assert words.share_recognised(spoken.data["text"], heard) >= 0.7

        await call.text("Tell me a long story about the sea.")
        await call.wait_for("speaking", turn=2, timeout=30)
        call.play(speech)
        cut = await call.wait_for("spoken", turn=2, timeout=30)
        await call.wait_for("speaking", turn=3, timeout=40)
        await call.interrupt()
        await call.end()
    assert cut.data["cut_off"] or words.normal(cut.data["text"])
    logs = "".join(service.log.read_text() for service in engine.services)
    for server in providers.servers.values():
        assert server.violations == []
        assert server.key not in logs
