"""Azure Speech through its native SDK, both ways: what is particular to it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from contract.servers.azure import AzureServer
from contract.servers.base import Fault
from parley.audio import HEARING_RATE, bytes_for
from parley.azure import AzureSettings, error_of
from parley.messages import Retry
from parley.providers import Cue, Heard, ProviderError, SynthesisResult, settings_for
from parley_stt.clouds.azure_session import confidence_of
from parley_stt.providers import azure_speech
from parley_stt.providers.azure_speech import AzureTranscriber
from parley_tts.clouds.azure_voices import Word
from parley_tts.providers.azure_voice import AzureSynthesizer, Places
from parley_tts.providers.hibari import HibariSynthesizer
from support.recordings import part, recording
from support.words import word_error_rate

BEST_OF_TIMES = "It was the best of times, it was the worst of times."
WISDOM = "It was the age of wisdom, it was the age of foolishness."
MAX_WER = 0.2
CHUNK = bytes_for(100, HEARING_RATE)
SPEED = 4


def first_turn() -> bytes:
    return part(recording("two_cities.wav"), 0, 5.1)


def second_turn() -> bytes:
    return part(recording("two_cities.wav"), 5.1, 8.4)


def silence(ms: int) -> bytes:
    return bytes(bytes_for(ms, HEARING_RATE))


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AzureServer]:
    azure_speech.forget_commits()
    async with AzureServer() as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        yield running
        await AzureSynthesizer.shut_down()
        await HibariSynthesizer.shut_down()
    assert running.violations == []


class Hearing:
    """Feeds a transcriber in SPEED times real time, and keeps what it says."""

    def __init__(self, server: AzureServer, **settings: Any) -> None:
        wanted = settings_for(AzureTranscriber, server.settings() | settings)
        self._transcriber = AzureTranscriber(wanted, "en-US")
        self._answered = asyncio.Event()
        self.heard: list[Heard] = []
        self.delays: list[float] = []
        """Seconds from each FINALIZE to its answer."""

    async def hear(self, *turns: bytes) -> None:
        async with asyncio.timeout(30):
            await self._transcriber.transcribe(self._audio(turns), self._emit)

    @property
    def finals(self) -> list[str]:
        return [heard.message for heard in self.heard if heard.is_final and heard.message]

    def _emit(self, heard: object) -> None:
        assert isinstance(heard, Heard)
        self.heard.append(heard)
        if heard.is_final and heard.end_ms is None:
            self._answered.set()

    async def _audio(self, turns: tuple[bytes, ...]) -> AsyncIterator[bytes | Cue]:
        for pcm in turns:
            yield Cue.SPEECH_STARTED
            for begin in range(0, len(pcm), CHUNK):
                yield pcm[begin : begin + CHUNK]
                await asyncio.sleep(0.1 / SPEED)
            self._answered.clear()
            asked = time.monotonic()
            yield Cue.FINALIZE
            while not self._answered.is_set():
                yield silence(100)
                await asyncio.sleep(0.1)
            self.delays.append(time.monotonic() - asked)


# --- Hearing


async def test_a_commit_makes_words_final_and_hearing_goes_on(
    server: AzureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seconds in ("COMMIT_SECONDS", "LONGEST_COMMIT_SECONDS"):
        monkeypatch.setattr(azure_speech, seconds, 10.0)  # however busy the machine is
    hearing = Hearing(server)
    await hearing.hear(first_turn() + silence(400), second_turn() + silence(400))
    assert word_error_rate(f"{BEST_OF_TIMES} {WISDOM}", " ".join(hearing.finals)) <= MAX_WER
    assert not hearing.heard[0].is_final
    assert all(heard.confidence == 0.9 for heard in hearing.heard if heard.is_final)
    assert server.requests == 1


async def test_where_commits_are_not_answered_the_stream_is_flushed(server: AzureServer) -> None:
    server.answers_commits = False
    hearing = Hearing(server)
    await hearing.hear(first_turn() + silence(400), second_turn() + silence(400))
    assert word_error_rate(f"{BEST_OF_TIMES} {WISDOM}", " ".join(hearing.finals)) <= MAX_WER
    first_ms = len(first_turn()) / 32
    (second,) = (heard for heard in hearing.heard if heard.message == hearing.finals[-1])
    assert second.end_ms is not None
    assert second.end_ms > first_ms + 2_000
    # The second FINALIZE is not tried with a commit again.
    assert hearing.delays[1] < azure_speech.COMMIT_SECONDS


async def test_after_a_break_the_stream_is_flushed_so_that_no_word_is_lost(
    server: AzureServer,
) -> None:
    server.fault, server.faults_left = Fault.RESET, 1
    hearing = Hearing(server)
    await hearing.hear(first_turn() + silence(400), second_turn() + silence(400))
    assert word_error_rate(f"{BEST_OF_TIMES} {WISDOM}", " ".join(hearing.finals)) <= MAX_WER
    # The SDK connected again, we did after the flush, and the second turn could be committed.
    assert server.requests == 3
    assert hearing.heard[-1].message


@pytest.mark.parametrize("answers_commits", [True, False])
async def test_silence_has_an_empty_final_soon(server: AzureServer, answers_commits: bool) -> None:
    server.answers_commits = answers_commits
    hearing = Hearing(server)
    await hearing.hear(silence(1_000), silence(1_000))
    assert [heard.message for heard in hearing.heard] == ["", ""]
    assert hearing.delays[1] < 0.5


@pytest.mark.parametrize("scheme", ["http", "ws"])
async def test_a_phrase_ends_with_the_silence_that_is_set(server: AzureServer, scheme: str) -> None:
    base_url = server.settings()["baseUrl"].replace("http", scheme)
    hearing = Hearing(server, segmentationSilenceMs=400, baseUrl=base_url)
    await hearing.hear(first_turn() + silence(1_200))
    assert server.segmentation == [400]
    final = next(heard for heard in hearing.heard if heard.is_final)
    assert final.end_ms == pytest.approx(len(first_turn()) / 32, abs=700)
    assert word_error_rate(BEST_OF_TIMES, final.message) <= MAX_WER
    assert hearing.heard[-1].message == ""


async def test_a_server_that_gives_nothing_is_given_up_in_time(server: AzureServer) -> None:
    server.fault = Fault.SLOW
    hearing, begin = Hearing(server), time.monotonic()
    with pytest.raises(ProviderError, match="did not answer in time") as failed:
        await hearing.hear(silence(500))
    assert failed.value.retry is Retry.NOW
    assert time.monotonic() - begin < 4


async def test_a_call_that_ends_leaves_no_thread_of_the_sdk(server: AzureServer) -> None:
    await Hearing(server).hear(silence(300))
    threads = native_threads()
    for _ in range(3):
        task = asyncio.create_task(Hearing(server).hear(first_turn()))
        await asyncio.sleep(0.5)
        assert native_threads() > threads
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(2):
            while server.streams or native_threads() > threads + 1:
                await asyncio.sleep(0.02)


async def test_what_the_server_says_of_a_failure_is_not_passed_on(server: AzureServer) -> None:
    server.fault = Fault.BROKEN
    with pytest.raises(ProviderError) as failed:
        await Hearing(server).hear(silence(5_000))
    assert str(failed.value) == "Azure Speech failed (500)"


def native_threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


# --- Speaking

TRICKY = "Zoë owes me $9.99 & a <b>coffee</b>, doesn't she?"


def voice(server: AzureServer, **settings: Any) -> AzureSynthesizer:
    wanted = settings_for(AzureSynthesizer, server.settings() | settings)
    return AzureSynthesizer(wanted, "en-US")


async def speak(synthesizer: AzureSynthesizer, text: str) -> SynthesisResult:
    """Speak it all; each mark is there before its audio."""
    result = await synthesizer.create_speech(text)
    spoken_ms, known = 0.0, 0
    async with asyncio.timeout(20), aclosing(result.chunk_generator) as chunks:
        async for chunk in chunks:
            assert all(mark.start_ms >= spoken_ms for mark in result.marks[known:])
            known = len(result.marks)
            spoken_ms += len(chunk.chunk) / 2 / result.sample_rate * 1000
    assert chunk.is_last_chunk
    assert result.duration_ms == spoken_ms
    return result


async def interrupt(synthesizer: AzureSynthesizer, text: str) -> None:
    result = await synthesizer.create_speech(text)
    async with aclosing(result.chunk_generator) as chunks:
        assert (await anext(chunks)).chunk


async def test_words_have_their_places_and_times(server: AzureServer) -> None:
    result = await speak(voice(server), TRICKY)
    assert [TRICKY[mark.offset :][: len(mark.word)] for mark in result.marks] == [
        mark.word for mark in result.marks
    ]
    assert {"Zoë", "owes", "$9.99", "she"} <= {mark.word for mark in result.marks}
    times = [mark.start_ms for mark in result.marks]
    assert times == sorted(times)
    assert result.duration_ms is not None
    assert times[-1] < result.duration_ms


async def test_a_connection_is_kept_for_the_next_sentence(server: AzureServer) -> None:
    synthesizer = voice(server)
    for _ in range(3):
        await speak(synthesizer, "Hello.")
    assert (server.requests, server.cancelled) == (1, 0)
    assert server.connections == 1
    await AzureSynthesizer.shut_down()
    async with asyncio.timeout(1):
        while server.connections:
            await asyncio.sleep(0.01)


async def test_an_interrupted_sentence_is_not_heard_in_the_next(server: AzureServer) -> None:
    synthesizer = voice(server)
    expected = (await speak(synthesizer, "Hello.")).duration_ms
    server.fault = Fault.LATE_AUDIO
    await interrupt(synthesizer, BEST_OF_TIMES)
    async with asyncio.timeout(5):
        # A configuration is sent as soon as the SDK knows that the next connection is open.
        while (server.cancelled, server.connections, server.configured) != (1, 1, 2):
            await asyncio.sleep(0.01)
    requests = server.requests
    assert (await speak(synthesizer, "Hello.")).duration_ms == expected
    assert server.requests == requests  # a connection was open already
    assert server.streams == 0


async def test_two_sentences_at_once_have_a_connection_each(server: AzureServer) -> None:
    synthesizer = voice(server)
    one, two = await asyncio.gather(speak(synthesizer, WISDOM), speak(synthesizer, "Hello there."))
    assert [mark.word for mark in two.marks] == ["Hello", "there"]
    assert " ".join(mark.word for mark in one.marks).startswith("It was the age of wisdom it")
    assert server.requests == 2


async def test_pace_and_voice_are_told_in_ssml(server: AzureServer) -> None:
    await speak(voice(server, speed=1.25, voice="en-US-JennyNeural"), "A < B\x07, or not.")
    (ssml,) = server.ssml
    assert '<voice name="en-US-JennyNeural">' in ssml
    assert '<prosody rate="+25%">A &lt; B, or not.</prosody>' in ssml


async def test_a_connection_that_ends_in_good_order_is_noticed_at_once(
    server: AzureServer,
) -> None:
    server.fault = Fault.SILENT_STOP
    begin = time.monotonic()
    with pytest.raises(ProviderError) as failed:
        await speak(voice(server), BEST_OF_TIMES)
    assert failed.value.retry is Retry.NOW
    assert time.monotonic() - begin < 3


# --- What needs no server


@pytest.mark.parametrize(
    ("code", "details", "retry", "said"),
    [
        ("AuthenticationFailure", "upgrade failed (401). Check", Retry.NEVER, "401"),
        ("AuthenticationFailure", "upgrade failed (403). Check", Retry.NEVER, "403"),
        ("AuthenticationFailure", "", Retry.NEVER, "401"),
        ("TooManyRequests", "upgrade failed (429).", Retry.LATER, "429"),
        ("TooManyRequests", "1007, quota", Retry.LATER, "429"),
        ("Forbidden", "out of quota", Retry.NEVER, "402"),
        ("BadRequest", "1007, Unsupported voice KEY", Retry.NEVER, "400"),
        ("ServiceError", "error (500).\nsaid (401)", Retry.NOW, "500"),
        ("ServiceUnavailable", "(503)", Retry.NOW, "503"),
        ("ServiceTimeout", "", Retry.NOW, "in time"),
        ("ConnectionFailure", "WS_ERROR_UNDERLYING_IO_ERROR", Retry.NOW, "cannot be reached"),
        ("SomethingNew", "", Retry.NOW, "cannot be reached"),
    ],
)
def test_what_the_sdk_reports_is_sorted(code: str, details: str, retry: Retry, said: str) -> None:
    error = error_of(code, details)
    assert error.retry is retry
    assert said in str(error)
    assert "KEY" not in str(error)


@pytest.mark.parametrize(
    ("settings", "address"),
    [
        ({}, {"region": "eastus"}),
        ({"region": "westeurope"}, {"region": "westeurope"}),
        ({"baseUrl": "https://my.host/"}, {"endpoint": "https://my.host"}),
        ({"baseUrl": "ws://my.host:1/"}, {"host": "ws://my.host:1"}),
        ({"baseUrl": "wss://my.host/a/path"}, {"endpoint": "wss://my.host/a/path"}),
    ],
)
def test_where_the_service_is(settings: dict[str, str], address: dict[str, str]) -> None:
    assert AzureSettings.model_validate(settings).address() == address


@pytest.mark.parametrize(
    ("answer", "confidence"),
    [
        ('{"NBest": [{"Confidence": 0.25}, {"Confidence": 0.9}]}', 0.25),
        ('{"NBest": [{"Confidence": 7}]}', 1.0),
        ('{"NBest": []}', 1.0),
        ('{"NBest": [{"Confidence": null}]}', 1.0),
        ("{not json", 1.0),
        ("[]", 1.0),
    ],
)
def test_confidence_is_read_where_it_is_told(answer: str, confidence: float) -> None:
    assert confidence_of(answer) == confidence


def test_a_word_is_found_after_the_one_before() -> None:
    places = Places("a cat, a dog")
    words = ["a", "cat", "bird", "", "a", "dog", "cat"]
    marks = [mark for at, word in enumerate(words) for mark in places.mark(Word(word, at, at + 1))]
    assert [(mark.word, mark.offset) for mark in marks] == [
        ("a", 0),
        ("cat", 2),
        ("a", 7),
        ("dog", 9),
    ]


def test_words_that_are_told_again_are_no_new_ones() -> None:
    places = Places("a cat, a dog")
    spoken = [("a", 0), ("cat", 1), ("a", 0), ("cat", 1), ("a", 2), ("dog", 3)]
    marks = [mark for word, at in spoken for mark in places.mark(Word(word, at, at + 1))]
    assert [mark.offset for mark in marks] == [0, 2, 7, 9]


@pytest.mark.parametrize("provider", [AzureTranscriber, AzureSynthesizer])
def test_azure_without_a_key_is_refused(
    provider: type[AzureTranscriber] | type[AzureSynthesizer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_SPEECH_KEY", raising=False)
    with pytest.raises(ProviderError, match="AZURE_SPEECH_KEY") as refused:
        provider(settings_for(provider, {}), "en-US")
    assert refused.value.retry is Retry.NEVER
