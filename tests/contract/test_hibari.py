"""The embedded voice, judged by a recogniser that knows nothing of it."""

import asyncio
import dataclasses
import time

import numpy as np
import pytest

from parley.messages import Retry
from parley.providers import ProviderError, SynthesisResult, settings_for
from parley_tts import hibari_engine
from parley_tts.providers.hibari import HibariSynthesizer
from support.listener import listen
from support.words import normal, word_error_rate

SENTENCES = [
    "Hello there, how can I help you today?",
    "Your meeting with Doctor Smith is on Monday morning.",
    "The weather tomorrow will be sunny with a light wind from the west.",
    "I'm sorry, I could not find a table for four people.",
    "Please take the second door on the left, and wait for me there.",
    "That is a wonderful idea, thank you very much!",
    "Would you like to hear the opening hours of the museum?",
    "The train to London leaves from platform six at half past seven.",
]


def synthesizer(**settings: object) -> HibariSynthesizer:
    return HibariSynthesizer(settings_for(HibariSynthesizer, settings), "en-US")


async def speak(message: str, **settings: object) -> tuple[SynthesisResult, bytes]:
    result = await synthesizer(**settings).create_speech(message)
    chunks = [chunk async for chunk in result.chunk_generator]
    assert [chunk.is_last_chunk for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    return result, b"".join(chunk.chunk for chunk in chunks)


def assert_marks_fit(result: SynthesisResult) -> None:
    assert [mark.word for mark in result.marks] == result.message.split()
    assert all(result.message.startswith(mark.word, mark.offset) for mark in result.marks)
    moments = [moment for mark in result.marks for moment in (mark.start_ms, mark.end_ms)]
    assert moments == sorted(moments)
    assert result.duration_ms is not None
    assert moments[0] >= 0
    assert moments[-1] <= result.duration_ms


async def test_what_is_spoken_is_understood() -> None:
    heard = []
    for sentence in SENTENCES:
        _, pcm = await speak(sentence)
        heard.append(listen(pcm, hibari_engine.SAMPLE_RATE))
    assert word_error_rate(" ".join(SENTENCES), " ".join(heard)) <= 0.10


async def test_a_message_of_several_sentences_is_one_piece_of_audio() -> None:
    message = " ".join(SENTENCES[:4])
    result, pcm = await speak(message)
    assert result.duration_ms == len(pcm) / 48
    assert_marks_fit(result)
    assert word_error_rate(message, listen(pcm, hibari_engine.SAMPLE_RATE)) <= 0.10


@pytest.mark.parametrize("sentence", SENTENCES)
async def test_audio_cut_at_a_mark_holds_the_words_up_to_it(sentence: str) -> None:
    result, pcm = await speak(sentence)
    assert_marks_fit(result)
    for mark in result.marks[2::3]:
        cut = pcm[: int(mark.end_ms * 24) * 2]
        heard = listen(cut + bytes(24_000), hibari_engine.SAMPLE_RATE).replace("...", "")
        claimed = sentence[: mark.offset + len(mark.word)]
        difference = len(normal(claimed).split()) - len(normal(heard).split())
        assert abs(difference) <= 1, (claimed, heard)


async def test_the_message_up_to_a_moment_is_what_was_said_by_then() -> None:
    result, _ = await speak("It starts at 7:30 pm, and a ticket costs $9.99.")
    assert_marks_fit(result)
    by_word = {mark.word: mark for mark in result.marks}
    assert by_word["7:30"].end_ms - by_word["7:30"].start_ms > 400
    assert result.get_message_up_to(0) == ""
    assert result.get_message_up_to(by_word["and"].end_ms / 1000) == "It starts at 7:30 pm, and"
    assert result.duration_ms is not None
    assert result.get_message_up_to(result.duration_ms / 1000) == result.message


async def test_pieces_join_without_a_click() -> None:
    result = await synthesizer().create_speech(" ".join(SENTENCES[:4]))
    spoken = [chunk.chunk async for chunk in result.chunk_generator if chunk.chunk]
    chunks = [np.frombuffer(pcm, np.int16) for pcm in spoken]
    assert len(chunks) == 4
    assert all(abs(int(chunk[edge])) < 20 for chunk in chunks for edge in (0, -1))


async def test_a_long_sentence_without_a_stop_is_spoken_whole() -> None:
    message = "and " + ", and ".join(normal(sentence) for sentence in SENTENCES)
    assert len(message) > hibari_engine.LONGEST_PIECE
    result, pcm = await speak(message)
    assert_marks_fit(result)
    assert word_error_rate(message, listen(pcm, hibari_engine.SAMPLE_RATE)) <= 0.15


async def test_speech_is_not_clipped_and_begins_and_ends_in_silence() -> None:
    for sentence in SENTENCES:
        _, pcm = await speak(sentence)
        samples = np.abs(np.frombuffer(pcm, np.int16).astype(np.int32))
        assert 6_000 < samples.max() < 32_700
        loud = np.flatnonzero(samples > 600)
        assert 30 <= loud[0] / 24 <= 110
        assert 190 <= (len(samples) - loud[-1]) / 24 <= 300


@pytest.mark.parametrize("message", ["", "  ", "...", "😀", "— !?"])
async def test_what_has_no_sound_gives_no_audio(message: str) -> None:
    result, pcm = await speak(message)
    assert (pcm, result.marks, result.duration_ms) == (b"", [], 0.0)


async def test_the_same_text_gives_the_same_audio() -> None:
    assert (await speak("Hello there."))[1] == (await speak("Hello there."))[1]


async def test_speed_is_the_pace() -> None:
    slow, _ = await speak(SENTENCES[0], speed=0.7)
    fast, _ = await speak(SENTENCES[0], speed=1.4)
    assert slow.duration_ms is not None
    assert fast.duration_ms is not None
    assert slow.duration_ms > 1.5 * fast.duration_ms


async def test_cancelling_stops_at_once_and_the_event_loop_never_waits() -> None:
    late = 0.0

    async def watch() -> None:
        nonlocal late
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.005)
            late = max(late, time.monotonic() - before - 0.005)

    await speak("Warm.")
    watcher = asyncio.create_task(watch())
    started = time.monotonic()
    speaking = asyncio.create_task(speak(" ".join(SENTENCES * 20)))
    await asyncio.sleep(0.2)
    speaking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await speaking
    assert time.monotonic() - started < 0.5
    await speak("Next.")
    assert time.monotonic() - started < 2
    watcher.cancel()
    assert late < 0.25


@pytest.mark.parametrize("settings", [{"voice": "emma"}, {"speed": 3}, {"pitch": 1}])
def test_bad_settings_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ProviderError, match="voice, speed") as refused:
        synthesizer(**settings)
    assert refused.value.retry is Retry.NEVER


def test_other_languages_are_refused() -> None:
    with pytest.raises(ProviderError, match="English only"):
        HibariSynthesizer(settings_for(HibariSynthesizer, {}), "fr-FR")


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = dataclasses.replace(hibari_engine.VOICE, sha256="0" * 64)
    monkeypatch.setattr(hibari_engine, "VOICE", wrong)
    with pytest.raises(ProviderError, match=r"sha256.*hibari-tts\[fast\]==0.2.1"):
        hibari_engine.HibariEngine()
