"""ElevenLabs' socket and its HTTP: times, contexts, and every way in which they can fail."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from contract.servers.base import RETRY_AFTER, Fault
from contract.servers.elevenlabs import ElevenLabsServer
from contract.servers.hum import WORD_MS, hum
from parley.audio import duration_ms
from parley.marks import Mark
from parley.messages import Retry
from parley.patience import Patience
from parley.providers import ProviderError, SynthesisResult, settings_for
from parley_tts.clouds import elevenlabs_sockets
from parley_tts.clouds.character_times import Character, CharacterTimes
from parley_tts.clouds.elevenlabs_wire import error_named, read_frame
from parley_tts.providers.elevenlabs_ws import ElevenLabsSynthesizer

TEXT = "Good morning, Ada. It's $9.99 for two; shall I go on?"
LONG = " ".join([TEXT] * 5)
PATIENCE = Patience(first=1.0, between=1.0)
WORDS = TEXT.split()


@asynccontextmanager
async def serving(
    monkeypatch: pytest.MonkeyPatch, **options: Any
) -> AsyncIterator[ElevenLabsServer]:
    monkeypatch.setattr(ElevenLabsSynthesizer, "patience", PATIENCE)
    async with ElevenLabsServer(**{"voice": hum, **options}) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        try:
            yield server
        finally:
            await ElevenLabsSynthesizer.shut_down()


def synthesizer(server: ElevenLabsServer, **settings: Any) -> ElevenLabsSynthesizer:
    wanted = settings_for(ElevenLabsSynthesizer, {**server.settings(), **settings})
    return ElevenLabsSynthesizer(wanted, "en-US")


async def speak(voice: ElevenLabsSynthesizer, text: str = TEXT) -> SynthesisResult:
    """All of a text; every mark was there before its audio."""
    result = await voice.create_speech(text)
    heard_ms, is_complete = 0.0, False
    async for chunk in result.chunk_generator:
        assert not is_complete
        is_complete = chunk.is_last_chunk
        heard_ms += duration_ms(len(chunk.chunk), result.sample_rate)
        begun = [index for index in range(len(text.split())) if index * WORD_MS < heard_ms - 1]
        assert len(result.marks) >= len(begun)
    assert is_complete
    assert heard_ms == result.duration_ms
    return result


async def failure(voice: ElevenLabsSynthesizer) -> ProviderError:
    async with asyncio.timeout(5):
        with pytest.raises(ProviderError) as failed:
            await speak(voice)
    assert failed.value.__suppress_context__ or failed.value.__context__ is None
    return failed.value


@pytest.mark.parametrize("renamed", [False, True])
@pytest.mark.parametrize("transport", ["websocket", "http"])
async def test_every_word_has_its_time(
    monkeypatch: pytest.MonkeyPatch, transport: str, renamed: bool
) -> None:
    async with serving(monkeypatch, renamed=renamed) as server:
        result = await speak(synthesizer(server, transport=transport))
    assert server.violations == []
    assert [mark.word for mark in result.marks] == WORDS
    assert all(TEXT.startswith(mark.word, mark.offset) for mark in result.marks)
    for index, mark in enumerate(result.marks):
        assert mark.start_ms == pytest.approx(index * WORD_MS, abs=2)
        assert mark.end_ms == pytest.approx((index + 1) * WORD_MS, abs=20)
    assert result.duration_ms == len(WORDS) * WORD_MS
    assert result.get_message_up_to(3 * WORD_MS / 1000) == "Good morning, Ada."


async def test_sentences_share_a_socket_and_a_socket_has_five_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving(monkeypatch) as server:
        voice = synthesizer(server)
        await speak(voice, "First.")
        await speak(voice, "Second.")
        assert server.sockets == 1
        texts = [f"This is sentence number {number} of seven." for number in range(7)]
        spoken = await asyncio.gather(*(speak(voice, text) for text in texts))
        assert server.sockets == 2
    assert [[mark.word for mark in each.marks] for each in spoken] == [t.split() for t in texts]
    assert server.violations == []


async def test_what_was_cut_off_counts_until_it_is_final(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch) as server:
        voice = synthesizer(server)
        for _ in range(12):
            result = await voice.create_speech(LONG)
            await anext(result.chunk_generator)
            await result.chunk_generator.aclose()
        await speak(voice)
        assert server.cancelled == 12
        assert server.streams == 0
    assert server.violations == []


@pytest.mark.parametrize("transport", ["websocket", "http"])
async def test_closing_it_stops_the_work(monkeypatch: pytest.MonkeyPatch, transport: str) -> None:
    async with serving(monkeypatch) as server:
        before = asyncio.all_tasks()
        result = await synthesizer(server, transport=transport).create_speech(LONG)
        await anext(result.chunk_generator)
        assert server.streams == 1
        await result.chunk_generator.aclose()
        async with asyncio.timeout(1):
            while server.streams:
                await asyncio.sleep(0.01)
        assert server.cancelled == 1
        await ElevenLabsSynthesizer.shut_down()
        async with asyncio.timeout(1):
            while server.lines or asyncio.all_tasks() - before:
                await asyncio.sleep(0.01)


async def test_a_socket_that_is_closed_for_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch) as server:
        voice = synthesizer(server)
        result = await voice.create_speech(LONG)
        await anext(result.chunk_generator)
        await server.lines[0].hang_up(1008, "quota_exceeded")
        with pytest.raises(ProviderError, match="quota") as failed:
            async for _ in result.chunk_generator:
                pass
    assert failed.value.retry is Retry.NEVER


async def test_what_is_said_too_late_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch) as server:
        server.fault = Fault.LATE_AUDIO
        voice = synthesizer(server)
        result = await voice.create_speech(LONG)
        await anext(result.chunk_generator)
        await result.chunk_generator.aclose()
        again = await speak(voice, "Something else.")
        assert again.duration_ms == 2 * WORD_MS
        assert server.sockets == 1


async def test_a_socket_that_was_closed_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch) as server:
        voice = synthesizer(server)
        await speak(voice)
        await server.lines[0].hang_up()
        await asyncio.sleep(0)
        await speak(voice)
        assert server.sockets == 2


async def test_a_socket_that_nobody_needs_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elevenlabs_sockets, "IDLE_SECONDS", 0.05)
    async with serving(monkeypatch) as server:
        voice = synthesizer(server)
        await speak(voice)
        async with asyncio.timeout(2):
            while server.lines:
                await asyncio.sleep(0.01)
        await speak(voice)
        assert server.sockets == 2


@pytest.mark.parametrize("transport", ["websocket", "http"])
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
    transport: str,
    fault: Fault,
    retry: Retry,
    wait: float | None,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(monkeypatch) as server:
        server.fault, server.faults_left = fault, 1
        voice = synthesizer(server, transport=transport)
        failed = await failure(voice)
        assert (failed.retry, failed.retry_after) == (retry, wait)
        if wait is None:
            await speak(voice)
    assert server.key not in caplog.text + str(failed) + repr(voice.settings)
    assert server.violations == []


async def test_a_fault_of_one_sentence_on_a_good_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch) as server:
        voice = synthesizer(server)
        await speak(voice)
        server.fault = Fault.BUSY
        assert (await failure(voice)).retry is Retry.LATER


async def test_speech_without_a_sound_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    async def mute(text: str, rate: int) -> AsyncGenerator[tuple[bytes, list[Mark]], None]:
        yield b"", []

    async with serving(monkeypatch, voice=mute) as server:
        for transport in ("websocket", "http"):
            failed = await failure(synthesizer(server, transport=transport))
            assert failed.retry is Retry.NOW


async def test_what_nobody_can_say_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch) as server:
        result = await synthesizer(server).create_speech("... -")
        assert [chunk.is_last_chunk async for chunk in result.chunk_generator] == [True]
        assert (result.duration_ms, server.requests) == (0.0, 0)


async def test_the_voice_is_as_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch) as server:
        how = {"voiceId": "Abc123", "stability": 0.4, "similarityBoost": 0.8, "speed": 1.1}
        await speak(synthesizer(server, **how))
        await speak(synthesizer(server, transport="http", **how))
        await speak(synthesizer(server, model="eleven_v3"))
        assert server.sockets == 1
    assert server.violations == []


async def test_the_key_is_not_taken_along_to_another_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving(monkeypatch) as server, ElevenLabsServer(hum) as other:
        server.moved_to = other.base
        for transport in ("websocket", "http"):
            assert (await failure(synthesizer(server, transport=transport))).retry is Retry.NOW
        assert other.requests == 0


async def test_it_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ELEVENLABS_API_KEY", raising=False)
    with pytest.raises(ProviderError, match="ELEVENLABS_API_KEY") as refused:
        ElevenLabsSynthesizer(settings_for(ElevenLabsSynthesizer, {}), "en-US")
    assert refused.value.retry is Retry.NEVER


@pytest.mark.parametrize(
    ("name", "status", "retry"),
    [
        ("quota_exceeded", 401, Retry.NEVER),
        ("system_busy", None, Retry.LATER),
        ("max_active_conversations", None, Retry.NOW),
        ("never heard of", 500, Retry.NOW),
        (["odd"], None, Retry.NOW),
    ],
)
def test_an_error_is_sorted_by_its_name(name: object, status: int | None, retry: Retry) -> None:
    assert error_named(name, status).retry is retry


@pytest.mark.parametrize(
    "message",
    [
        "[]",
        "{not json",
        '{"audio": 5}',
        '{"audio": "?"}',
        '{"audio": "", "alignment": [1]}',
        '{"audio": "", "alignment": {"chars": ["a"]}}',
        '{"audio": "", "alignment": {"chars": ["a"], "charStartTimesMs": [0, 1], '
        '"charDurationsMs": [1]}}',
    ],
)
def test_what_cannot_be_understood_is_said_so(message: str) -> None:
    with pytest.raises(ValueError):
        read_frame(message)


def test_messages_that_nobody_published_have_nothing_in_them() -> None:
    frame = read_frame(json.dumps({"type": "flush_done", "context_id": "c"}))
    assert (frame.context, frame.piece.audio, frame.is_final, frame.error) == (
        "c",
        b"",
        False,
        None,
    )


def spelt(text: str, start_ms: float = 0.0) -> list[Character]:
    return [
        Character(each, start_ms + 10 * index, start_ms + 10 * index + 10)
        for index, each in enumerate(text)
    ]


def test_a_word_across_two_pieces_is_told_of_once_and_at_once() -> None:
    times = CharacterTimes("Hello wonderful world.")
    (hello, wonderful) = times.place(spelt(" Hello won"))
    assert (hello, wonderful.word) == (Mark("Hello", 0, 10, 60), "wonderful")
    assert (wonderful.start_ms, wonderful.end_ms) == (70, 160)
    assert times.place(spelt("derful ", 100)) == []
    assert times.place(spelt("world.", 170)) == [Mark("world.", 16, 170, 230)]


def test_what_is_read_out_in_other_words_has_no_marks_and_spoils_none() -> None:
    times = CharacterTimes("It costs $9.99, and no more.")
    marks = times.place(spelt("It costs nine dollars ninety nine, and no more."))
    assert [mark.word for mark in marks] == ["It", "costs", "and", "no", "more."]


def test_a_chinese_character_is_a_word() -> None:
    marks = CharacterTimes("你好。OK 吗?").place(spelt("你好。OK 吗?"))
    assert [(mark.word, mark.offset) for mark in marks] == [
        ("你", 0), ("好", 1), ("。OK", 2), ("吗", 6), ("?", 7),
    ]  # fmt: skip
