"""Amazon Polly, asked with its SDK: speech and marks side by side, and how they can fail."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from contract.servers.base import Fault
from contract.servers.hum import WORD_MS, hum
from contract.servers.polly import PollyServer, faults_of
from parley.audio import duration_ms
from parley.marks import Mark
from parley.messages import Retry
from parley.patience import Patience
from parley.providers import ProviderError, SynthesisResult, settings_for
from parley_tts.clouds.polly_marks import read_marks
from parley_tts.providers.polly import PollySynthesizer

TEXT = "Grüß Gott, Zoë! It is half past nine; shall we begin?"
LONG = " ".join([TEXT] * 5)
PATIENCE = Patience(first=1.0, between=1.0)
WORDS = ["Grüß", "Gott", "Zoë", "It", "is", "half", "past", "nine", "shall", "we", "begin"]


@asynccontextmanager
async def serving(monkeypatch: pytest.MonkeyPatch, **options: Any) -> AsyncIterator[PollyServer]:
    monkeypatch.setattr(PollySynthesizer, "patience", PATIENCE)
    async with PollyServer(**{"voice": hum, **options}) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        try:
            yield server
        finally:
            await PollySynthesizer.shut_down()


def synthesizer(server: PollyServer, **settings: Any) -> PollySynthesizer:
    wanted = settings_for(PollySynthesizer, {**server.settings(), **settings})
    return PollySynthesizer(wanted, "en-US")


async def speak(voice: PollySynthesizer, text: str = TEXT) -> SynthesisResult:
    """All of a text; its marks are there before its audio."""
    result = await voice.create_speech(text)
    heard_ms, is_complete, marks_at_first = 0.0, False, None
    async for chunk in result.chunk_generator:
        assert not is_complete
        assert len(chunk.chunk) % 2 == 0
        marks_at_first = marks_at_first or len(result.marks)
        is_complete = chunk.is_last_chunk
        heard_ms += duration_ms(len(chunk.chunk), result.sample_rate)
    assert is_complete
    assert heard_ms == result.duration_ms
    assert marks_at_first == len(result.marks)
    return result


async def failure(voice: PollySynthesizer) -> ProviderError:
    async with asyncio.timeout(5):
        with pytest.raises(ProviderError) as failed:
            await speak(voice)
    assert failed.value.__suppress_context__ or failed.value.__context__ is None
    return failed.value


async def test_every_word_has_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch) as server:
        result = await speak(synthesizer(server))
        assert server.streams == 0
    assert server.violations == []
    assert [mark.word for mark in result.marks] == WORDS
    assert all(TEXT.startswith(mark.word, mark.offset) for mark in result.marks)
    assert [mark.start_ms for mark in result.marks] == [
        index * WORD_MS for index in range(len(WORDS))
    ]
    assert result.duration_ms == len(WORDS) * WORD_MS
    assert result.get_message_up_to(3 * WORD_MS / 1000) == "Grüß Gott, Zoë!"


async def test_a_voice_without_marks_is_not_asked_for_them_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving(monkeypatch) as server:
        server.gives_marks = False
        voice = synthesizer(server)
        for _ in range(3):
            result = await speak(voice)
        assert (result.marks, server.marks_asked_for) == ([], 1)
        assert result.get_message_up_to(0.6).startswith("Grüß")
        server.gives_marks = True
        await speak(synthesizer(server, wordTimes=False))
        assert server.marks_asked_for == 1
    assert server.violations == []


async def test_marks_that_are_late_do_not_hold_up_the_speech(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving(monkeypatch) as server:
        server.marks_delay = 60.0
        voice = synthesizer(server)
        assert (await speak(voice)).marks == []
        server.marks_delay = 0.05
        assert len((await speak(voice)).marks) == len(WORDS)


async def test_closing_it_leaves_both_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch) as server:
        before = asyncio.all_tasks()
        server.marks_delay = 60.0
        result = await synthesizer(server).create_speech(LONG)
        await anext(result.chunk_generator)
        assert server.streams == 1
        await result.chunk_generator.aclose()
        async with asyncio.timeout(1):
            while server.streams or asyncio.all_tasks() - before:
                await asyncio.sleep(0.01)
        assert server.cancelled == 1


@pytest.mark.parametrize(
    ("fault", "retry"),
    [
        (Fault.UNAUTHORIZED, Retry.NEVER),
        (Fault.FORBIDDEN, Retry.NEVER),
        (Fault.BUSY, Retry.LATER),
        (Fault.BROKEN, Retry.NOW),
        (Fault.SLOW, Retry.NOW),
        (Fault.RESET, Retry.NOW),
        (Fault.SILENT_STOP, Retry.NOW),
        (Fault.MALFORMED, Retry.NOW),
    ],
)
async def test_every_fault_is_told_apart(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
    retry: Retry,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(monkeypatch) as server:
        server.fault, server.faults_left = fault, 1
        voice = synthesizer(server)
        failed = await failure(voice)
        asked_for = server.requests
        assert failed.retry is retry
        server.fault = None
        assert len((await speak(voice)).marks) == len(WORDS)
    assert asked_for <= 2
    told = caplog.text + str(failed) + repr(voice.settings)
    assert server.key not in told
    assert server.key_id not in told
    assert "Gott" not in told
    assert server.violations == []


async def test_speech_that_ends_before_its_words_broke_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def cut(text: str, rate: int) -> AsyncGenerator[tuple[bytes, list[Mark]], None]:
        async for pcm, marks in hum(text, rate):
            yield pcm[: len(pcm) // 2], marks

    async with serving(monkeypatch, voice=cut) as server:
        assert (await failure(synthesizer(server))).retry is Retry.NOW


async def test_a_wrong_secret_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch) as server:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
        assert (await failure(synthesizer(server))).retry is Retry.NEVER


async def test_temporary_keys_come_with_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch) as server:
        monkeypatch.setenv("AWS_SESSION_TOKEN", "a token")
        await speak(synthesizer(server))
        assert server.session_tokens == {None}
        await speak(synthesizer(server, sessionToken="env:AWS_SESSION_TOKEN"))
        assert server.session_tokens == {None, "a token"}


async def test_what_nobody_can_say_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch) as server:
        result = await synthesizer(server).create_speech("...")
        assert [chunk.is_last_chunk async for chunk in result.chunk_generator] == [True]
        assert (result.duration_ms, server.requests) == (0.0, 0)


@pytest.mark.parametrize("missing", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
async def test_it_needs_both_keys(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.delenv(missing)
    with pytest.raises(ProviderError, match=missing) as refused:
        PollySynthesizer(settings_for(PollySynthesizer, {}), "en-US")
    assert refused.value.retry is Retry.NEVER


def test_marks_are_placed_by_bytes_and_end_at_the_next_or_at_a_pause() -> None:
    said = [
        {"time": 0, "type": "sentence", "start": 0, "end": 9, "value": "Ö, ja."},
        {"time": 10, "type": "word", "start": 0, "end": 2, "value": "Ö"},
        {"time": 900, "type": "word", "start": 4, "end": 6, "value": "ja"},
        {"time": 900, "type": "word", "start": 90, "end": 96, "value": "beyond"},
        {"time": 5, "type": "word", "start": 1, "end": 2, "value": "half of a letter"},
    ]
    lines = "\n".join(["[", "7", *map(json.dumps, said)]).encode()
    first, second = read_marks("Ö, ja.", lines)
    assert (first.word, first.offset, first.start_ms, first.end_ms) == ("Ö", 0, 10, 160)
    assert (second.word, second.offset, second.start_ms) == ("ja", 3, 900)
    assert 900 < second.end_ms < 1100


def test_the_server_knows_what_is_published() -> None:
    good = {"Text": "Hi.", "VoiceId": "Joanna", "OutputFormat": "pcm"}
    assert faults_of(good) == []
    for bad in ({"Text": 5}, {"VoiceId": "Nobody"}, {"OutputFormat": "wav"}, {"Speed": "2"}):
        assert faults_of({**good, **bad})
