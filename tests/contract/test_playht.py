"""Play.ht's protocol: the address with a token, the speech, and how both can fail."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from contract.servers.base import RETRY_AFTER, Fault
from contract.servers.hum import WORD_MS, hum
from contract.servers.playht import PlayHTServer
from parley.audio import duration_ms
from parley.messages import Retry
from parley.patience import Patience
from parley.providers import ProviderError, SynthesisResult, settings_for
from parley_tts.clouds.playht_wire import read_address
from parley_tts.providers.playht import PlayHTSynthesizer

TEXT = "Is there anybody left who speaks like this?"
LONG = " ".join([TEXT] * 5)
PATIENCE = Patience(first=1.0, between=1.0)


@asynccontextmanager
async def serving(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PlayHTServer]:
    monkeypatch.setattr(PlayHTSynthesizer, "patience", PATIENCE)
    async with PlayHTServer(hum) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        try:
            yield server
        finally:
            await PlayHTSynthesizer.shut_down()


def synthesizer(
    server: PlayHTServer, language: str = "en-US", **settings: Any
) -> PlayHTSynthesizer:
    wanted = settings_for(PlayHTSynthesizer, {**server.settings(), **settings})
    return PlayHTSynthesizer(wanted, language)


async def speak(voice: PlayHTSynthesizer, text: str = TEXT) -> SynthesisResult:
    result = await voice.create_speech(text)
    heard_ms, is_complete = 0.0, False
    async for chunk in result.chunk_generator:
        assert len(chunk.chunk) % 2 == 0
        is_complete = chunk.is_last_chunk
        heard_ms += duration_ms(len(chunk.chunk), result.sample_rate)
    assert is_complete
    assert heard_ms == result.duration_ms
    return result


async def failure(voice: PlayHTSynthesizer) -> ProviderError:
    async with asyncio.timeout(5):
        with pytest.raises(ProviderError) as failed:
            await speak(voice)
    assert failed.value.__suppress_context__ or failed.value.__context__ is None
    return failed.value


async def test_sentences_share_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch) as server:
        voice = synthesizer(server)
        first, _ = await asyncio.gather(speak(voice), speak(voice, "Two at once."))
        await speak(voice)
        assert server.addresses_given == 1
        assert server.streams == 0
    assert server.violations == []
    assert first.duration_ms == len(TEXT.split()) * WORD_MS
    assert first.get_message_up_to(first.duration_ms / 2000).startswith("Is there anybody")


async def test_an_address_is_given_up_before_it_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch) as server:
        server.token_lasts = timedelta(minutes=1)
        voice = synthesizer(server)
        await speak(voice)
        await speak(voice)
        assert server.addresses_given == 2


async def test_an_address_that_is_taken_no_more_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving(monkeypatch) as server:
        voice = synthesizer(server)
        await speak(voice)
        server.tokens.clear()
        assert (await failure(voice)).retry is Retry.NOW
        await speak(voice)
        assert server.addresses_given == 2


@pytest.mark.parametrize(
    ("fault", "retry", "wait"),
    [
        (Fault.UNAUTHORIZED, Retry.NEVER, None),
        (Fault.FORBIDDEN, Retry.NEVER, None),
        (Fault.BUSY, Retry.LATER, RETRY_AFTER),
        (Fault.BROKEN, Retry.NOW, None),
        (Fault.SLOW, Retry.NOW, None),
        (Fault.RESET, Retry.NOW, None),
        (Fault.SILENT_STOP, Retry.NOW, None),
        (Fault.MALFORMED, Retry.NOW, None),
    ],
)
async def test_every_fault_is_told_apart(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
    retry: Retry,
    wait: float | None,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(monkeypatch) as server:
        server.fault, server.faults_left = fault, 1
        voice = synthesizer(server)
        failed = await failure(voice)
        assert (failed.retry, failed.retry_after) == (retry, wait)
        if wait is None:
            await speak(voice)
    told = caplog.text + str(failed) + repr(voice.settings)
    assert server.key not in told
    assert not any(token in str(failed) for token in server.tokens)
    assert server.violations == []


async def test_closing_it_leaves_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch) as server:
        before = asyncio.all_tasks()
        result = await synthesizer(server).create_speech(LONG)
        await anext(result.chunk_generator)
        await result.chunk_generator.aclose()
        async with asyncio.timeout(1):
            while server.streams or asyncio.all_tasks() - before:
                await asyncio.sleep(0.01)
        assert server.cancelled == 1


async def test_the_voice_is_as_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch) as server:
        await speak(synthesizer(server, "de-AT", voice="s3://mine", speed=1.2))
        await speak(synthesizer(server, "de-AT", engine="PlayDialog"))
        first, second = server.asked
    assert server.violations == []
    assert (first["voice"], first["speed"], first["language"]) == ("s3://mine", 1.2, "german")
    assert (second["version"], "language" in second) == ("ldm", False)


async def test_the_service_that_ended_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAYHT_API_KEY", "x")
    monkeypatch.setenv("PLAYHT_USER_ID", "x")
    with pytest.raises(ProviderError, match=r"ended .* 2025.*baseUrl") as refused:
        PlayHTSynthesizer(settings_for(PlayHTSynthesizer, {}), "en-US")
    assert refused.value.retry is Retry.NEVER


@pytest.mark.parametrize("missing", ["PLAYHT_API_KEY", "PLAYHT_USER_ID"])
async def test_it_needs_both_keys(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    for name in ("PLAYHT_API_KEY", "PLAYHT_USER_ID"):
        monkeypatch.setenv(name, "x")
    monkeypatch.delenv(missing)
    with pytest.raises(ProviderError, match=missing):
        PlayHTSynthesizer(
            settings_for(PlayHTSynthesizer, {"baseUrl": "http://127.0.0.1:9"}), "en-US"
        )


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        {"expires_at": "soon", "E": {"http_streaming_url": "http://x"}},
        {"expires_at": "2026-01-01T00:00:00.0Z", "E": {"http_streaming_url": "file:///x"}},
        {"expires_at": 5, "E": {"http_streaming_url": "http://x"}},
        {"expires_at": "2026-01-01T00:00:00.0Z", "E": None},
    ],
)
def test_an_answer_without_an_address_is_not_understood(answer: object) -> None:
    with pytest.raises(ValueError):
        read_address(answer, "E")
