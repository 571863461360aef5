"""Deepgram's own ways, with the real SDK against its protocol: Nova (v1) and Flux (v2)."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from contract.servers.base import RETRY_AFTER, Fault
from contract.servers.deepgram import DeepgramServer
from parley.audio import HEARING_RATE, bytes_for
from parley.messages import Retry
from parley.providers import (
    Cue,
    Heard,
    ProviderError,
    Transcriber,
    TurnEnded,
    TurnProbablyEnded,
    TurnResumed,
    settings_for,
)
from parley_stt.clouds import deepgram_connection
from parley_stt.clouds.deepgram_wire import language_of
from parley_stt.providers.deepgram_flux import FluxStream, FluxTranscriber
from parley_stt.providers.deepgram_nova import DeepgramTranscriber, NovaStream
from support.recordings import part, recording
from support.words import word_error_rate

WHOLE = "It was the best of times, it was the worst of times."
SPEED = 4
MAX_WER = 0.35
WINDOW_MS = 32

Item = bytes | Cue
Result = Heard | TurnProbablyEnded | TurnResumed | TurnEnded
Kind = type[DeepgramTranscriber] | type[FluxTranscriber]
BOTH = pytest.mark.parametrize("kind", [DeepgramTranscriber, FluxTranscriber])


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DeepgramServer]:
    async with DeepgramServer() as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        yield running
        assert running.violations == []


def transcriber(
    server: DeepgramServer, kind: Kind, language: str = "en-US", **settings: object
) -> Transcriber:
    return kind(settings_for(kind, {**server.settings(), **settings}), language)


def silence(ms: float) -> bytes:
    return bytes(bytes_for(ms, HEARING_RATE))


def speech() -> bytes:
    """4 s: WHOLE."""
    return part(recording("two_cities.wav"), 0.7, 4.75)


class Caller:
    """What is said to a transcriber, faster than in life, and what comes of it."""

    def __init__(self, *items: Item, hangs_up: bool = False) -> None:
        self.results: list[Result] = []
        self._items = items
        self._hangs_up = hangs_up

    async def audio(self) -> AsyncIterator[Item]:
        size = bytes_for(WINDOW_MS, HEARING_RATE)
        for item in self._items:
            if isinstance(item, Cue):
                yield item
                continue
            for start in range(0, len(item), size):
                yield item[start : start + size]
                await asyncio.sleep(WINDOW_MS / 1000 / SPEED)
        if not self._hangs_up:
            await asyncio.Event().wait()

    async def call(self, one: Transcriber, until: int = 1, seconds: float = 10.0) -> None:
        """Until so many finals are there, or to the end."""
        hearing = asyncio.create_task(one.transcribe(self.audio(), self.results.append))
        try:
            async with asyncio.timeout(seconds):
                while not hearing.done() and (self._hangs_up or len(self.finals) < until):
                    await asyncio.sleep(0.01)
            if hearing.done():
                await hearing
        finally:
            hearing.cancel()
            await asyncio.wait([hearing])

    @property
    def finals(self) -> list[Heard]:
        return [one for one in self.results if isinstance(one, Heard) and one.is_final]

    @property
    def said(self) -> str:
        return " ".join(one.message for one in self.finals if one.message)

    def kinds(self) -> list[type[Result]]:
        return [type(one) for one in self.results if not isinstance(one, Heard)]


# --- What is asked for


async def test_nova_is_asked_in_strings_as_the_api_wants_them(server: DeepgramServer) -> None:
    settings: dict[str, Any] = {"keyterms": ["Parley", "Nova Scotia"], "smartFormat": False}
    await Caller(silence(300), Cue.FINALIZE).call(
        transcriber(server, DeepgramTranscriber, "de-DE", **settings)
    )
    assert server.queries == [
        {
            "model": "nova-3",
            "language": "de",
            "encoding": "linear16",
            "sample_rate": "16000",
            "channels": "1",
            "interim_results": "true",
            "endpointing": "300",
            "smart_format": "false",
            "punctuate": "true",
            "keyterm": ["Parley", "Nova Scotia"],
        }
    ]


@pytest.mark.parametrize(
    ("tag", "language"), [("de-DE", "de"), ("de-CH", "de-CH"), ("en-GB", "en-GB"), ("ja", "ja")]
)
def test_a_region_that_nova_does_not_know_is_left_out(tag: str, language: str) -> None:
    assert language_of(tag) == language


@pytest.mark.parametrize(
    ("language", "settings", "model", "hint"),
    [
        ("en-GB", {}, "flux-general-en", None),
        ("es-MX", {"eagerEotThreshold": None}, "flux-general-multi", "es"),
        ("en-US", {"model": "flux-general-multi"}, "flux-general-multi", "en"),
    ],
)
async def test_flux_is_asked_for_the_language(
    server: DeepgramServer, language: str, settings: dict[str, Any], model: str, hint: str | None
) -> None:
    await Caller(silence(300), Cue.FINALIZE).call(
        transcriber(server, FluxTranscriber, language, **settings)
    )
    (query,) = server.queries
    assert (query["model"], query.get("language_hint")) == (model, hint)
    assert ("eager_eot_threshold" in query) == ("eagerEotThreshold" not in settings)


@BOTH
async def test_without_a_key_nothing_begins(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEEPGRAM_API_KEY", raising=False)
    with pytest.raises(ProviderError, match="DEEPGRAM_API_KEY") as failed:
        kind(settings_for(kind, {}), "en-US")
    assert failed.value.retry is Retry.NEVER


# --- Words and their places


@BOTH
async def test_finals_say_where_they_end_also_after_a_break(
    server: DeepgramServer, kind: Kind
) -> None:
    """The voice ends 5.0 s into the audio, of which the second connection has only a part."""
    server.fault, server.faults_left = Fault.RESET, 1
    said = (silence(1000), Cue.SPEECH_STARTED, speech(), silence(2500))
    caller = Caller(*said, hangs_up=True)
    await caller.call(transcriber(server, kind))
    assert server.requests == 2
    assert word_error_rate(WHOLE, caller.said) <= MAX_WER
    last = [one for one in caller.finals if one.message][-1]
    assert last.end_ms is not None and 4_700 <= last.end_ms <= 6_500
    assert 0 < last.confidence < 1


@BOTH
async def test_the_end_of_the_audio_brings_the_last_words(
    server: DeepgramServer, kind: Kind
) -> None:
    caller = Caller(Cue.SPEECH_STARTED, speech(), silence(400), b"", hangs_up=True)
    await caller.call(transcriber(server, kind))
    assert word_error_rate(WHOLE, caller.said) <= MAX_WER
    assert server.received[-1] == "CloseStream"
    assert server.streams == server.cancelled == 0


@BOTH
async def test_a_finalize_that_deepgram_does_not_answer_is_answered(
    server: DeepgramServer, kind: Kind
) -> None:
    """It says nothing where nothing is left to say; three times, to be sure of no mix-up."""
    caller = Caller(silence(500), Cue.FINALIZE, Cue.FINALIZE, silence(50), Cue.FINALIZE)
    await caller.call(transcriber(server, kind), until=3, seconds=3.0)
    assert [one.message for one in caller.finals] == ["", "", ""]


# --- Staying connected


@BOTH
async def test_a_connection_is_kept_while_there_is_no_audio(
    server: DeepgramServer, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = NovaStream if kind is DeepgramTranscriber else FluxStream
    monkeypatch.setattr(stream, "idle_seconds", 0.1)
    server.hang_up_seconds = 0.4
    caller = Caller(silence(300))
    with pytest.raises(TimeoutError):
        await caller.call(transcriber(server, kind), seconds=1.5)
    assert server.requests == 1
    assert ("KeepAlive" in server.received) == (kind is DeepgramTranscriber)


@BOTH
async def test_being_hung_up_on_is_a_failure_not_an_end(server: DeepgramServer, kind: Kind) -> None:
    server.hang_up_seconds = 0.1
    with pytest.raises(ProviderError, match="broke off") as failed:
        await Caller().call(transcriber(server, kind), seconds=5.0)
    assert failed.value.retry is Retry.NOW
    assert server.requests == 3


async def test_a_turn_ends_though_the_audio_stopped_in_it(server: DeepgramServer) -> None:
    caller = Caller(Cue.SPEECH_STARTED, speech())
    await caller.call(transcriber(server, FluxTranscriber))
    assert TurnEnded in caller.kinds()
    assert word_error_rate(WHOLE, caller.said) <= MAX_WER


# --- Refusals


@BOTH
async def test_a_busy_account_is_left_alone_as_long_as_it_asks(
    server: DeepgramServer, kind: Kind
) -> None:
    server.fault, server.faults_left = Fault.BUSY, 1
    for _ in range(2):
        with pytest.raises(ProviderError) as failed:
            await Caller(silence(300)).call(transcriber(server, kind))
        assert failed.value.retry is Retry.LATER
        assert failed.value.retry_after == pytest.approx(RETRY_AFTER, abs=1)
    assert server.requests == 1


@BOTH
async def test_the_key_is_nowhere_to_be_read(
    server: DeepgramServer,
    kind: Kind,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    server.key = "another-key-than-that-of-the-client"
    monkeypatch.setenv("DEEPGRAM_API_KEY", "the-key-of-the-client")
    with pytest.raises(ProviderError, match="refused the key") as failed:
        await Caller(silence(300)).call(transcriber(server, kind))
    assert failed.value.__suppress_context__
    assert "the-key-of" not in caplog.text + str(failed.value)
    assert server.requests == 1


async def test_a_handshake_that_hangs_is_given_up(
    monkeypatch: pytest.MonkeyPatch, server: DeepgramServer
) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    monkeypatch.setattr(deepgram_connection, "CONNECT_SECONDS", 0.2)
    async with await asyncio.start_server(hang, "127.0.0.1", 0) as mute:
        settings = {"baseUrl": f"ws://127.0.0.1:{mute.sockets[0].getsockname()[1]}"}
        one = DeepgramTranscriber(settings_for(DeepgramTranscriber, settings), "en-US")
        with pytest.raises(ProviderError, match="in time"):
            await Caller(silence(300)).call(one, seconds=2.0)
