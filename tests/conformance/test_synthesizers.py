"""What every synthesizer must do, whoever provides it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from itertools import pairwise

import pytest

from conformance import candidates
from contract.servers.base import ContractServer, Fault
from contract.servers.ear import recognised
from parley.audio import HEARING_RATE, Resampler, duration_ms
from parley.messages import Retry
from parley.patience import Patience, within
from parley.providers import (
    ChunkResult,
    Provider,
    ProviderError,
    ProviderSettings,
    SynthesisResult,
    Synthesizer,
)
from parley.subjects import Stage
from support.recordings import level
from support.words import length_error, word_error_rate

pytestmark = pytest.mark.parametrize("candidate", candidates.of(Stage.TTS), ids=str)

TEXT = "The weather will be fine tomorrow, and we can meet at noon."
OTHER = "Please close the window before you leave the house."
MAX_WER = 0.35
SECONDS = 20.0
IMPATIENT = Patience(first=0.5, between=0.5)


@dataclass
class Speech:
    """What was made of a text: PCM16 at 16 kHz."""

    result: SynthesisResult
    pcm: bytes


@pytest.fixture
def synthesizer(kind: type[Provider], settings: ProviderSettings) -> Synthesizer:
    assert issubclass(kind, Synthesizer)
    return kind(settings, "en-US")


async def spoken(
    synthesizer: Synthesizer, text: str = TEXT, patience: Patience | None = None
) -> Speech:
    """The text, spoken to its end as the worker has it spoken."""
    results: list[SynthesisResult] = []
    pcm = bytearray()
    who = "the synthesizer"
    pieces = within(patience or synthesizer.patience, _chunks(synthesizer, text, results), who)
    async with asyncio.timeout(SECONDS), aclosing(pieces) as chunks:
        resampler: Resampler | None = None
        async for chunk in chunks:
            resampler = resampler or Resampler(results[0].sample_rate, HEARING_RATE)
            pcm += resampler.push(chunk.chunk, last=chunk.is_last_chunk)
            if chunk.is_last_chunk:
                return Speech(results[0], bytes(pcm))
    raise ProviderError("broke off", Retry.NOW)


async def _chunks(
    synthesizer: Synthesizer, text: str, results: list[SynthesisResult]
) -> AsyncGenerator[ChunkResult, None]:
    results.append(await synthesizer.create_speech(text))
    async with aclosing(results[0].chunk_generator) as chunks:
        async for chunk in chunks:
            yield chunk


async def failure(synthesizer: Synthesizer, patience: Patience | None = None) -> ProviderError:
    """How speaking fails."""
    with pytest.raises(ProviderError) as failed:
        await spoken(synthesizer, patience=patience)
    return failed.value


async def test_conversation(synthesizer: Synthesizer) -> None:
    """Two sentences, one after the other, and each is understood."""
    for text in (TEXT, OTHER):
        speech = await spoken(synthesizer, text)
        assert word_error_rate(text, await recognised(speech.pcm)) <= MAX_WER
        assert level(speech.pcm) > 0.01
        length = duration_ms(len(speech.pcm), HEARING_RATE)
        assert speech.result.duration_ms == pytest.approx(length, abs=60)


async def test_interruption(synthesizer: Synthesizer) -> None:
    """What was said up to an interruption is told, to the word, as far as that can be known."""
    speech = await spoken(synthesizer)
    length = duration_ms(len(speech.pcm), HEARING_RATE)
    told = [speech.result.get_message_up_to(length / 1000 * share / 10) for share in range(11)]
    assert told[0] == ""
    assert told[-1] == TEXT
    assert all(later.startswith(earlier) for earlier, later in pairwise(told))


async def test_word_times(synthesizer: Synthesizer) -> None:
    """The words' times are true: what is told is what is in the audio so far, within a word."""
    assert synthesizer.capabilities.gives_word_times
    speech = await spoken(synthesizer)
    marks = speech.result.marks
    assert [TEXT[mark.offset :].startswith(mark.word) for mark in marks] == [True] * len(marks)
    assert len(marks) >= len(TEXT.split())
    assert all(one.start_ms <= other.start_ms for one, other in pairwise(marks))
    words = TEXT.split()
    for last in (5, 8):  # cut between two words: neither is heard in part
        place = TEXT.index(words[last])
        until = next(mark for mark in marks if mark.offset == place).end_ms
        after = next(mark for mark in marks if mark.offset > place and mark.word.isalpha())
        cut_ms = (until + after.start_ms) / 2
        told = speech.result.get_message_up_to(cut_ms / 1000)
        assert told.split() == words[: last + 1]
        heard = await recognised(speech.pcm[: int(cut_ms / 1000 * HEARING_RATE) * 2])
        assert abs(length_error(told, TEXT, heard)) <= 1


async def test_cancel(synthesizer: Synthesizer, server: ContractServer | None) -> None:
    """Closed after its first chunk, it has its provider stop at once."""
    result = await synthesizer.create_speech(f"{TEXT} {OTHER}")
    async with asyncio.timeout(SECONDS):
        while not (await anext(result.chunk_generator)).chunk:
            pass
        await result.chunk_generator.aclose()
    if server is not None:
        async with asyncio.timeout(2.0):
            while server.streams or not server.cancelled:
                await asyncio.sleep(0.01)


async def test_two_calls(synthesizer: Synthesizer) -> None:
    """Two texts at once do not mix."""
    one, other = await asyncio.gather(spoken(synthesizer, TEXT), spoken(synthesizer, OTHER))
    assert word_error_rate(TEXT, await recognised(one.pcm)) <= MAX_WER
    assert word_error_rate(OTHER, await recognised(other.pcm)) <= MAX_WER


async def test_unauthorized(synthesizer: Synthesizer, server: ContractServer) -> None:
    server.fault = Fault.UNAUTHORIZED
    failed = await failure(synthesizer)
    assert failed.retry is Retry.NEVER
    assert server.key not in str(failed)


async def test_forbidden(synthesizer: Synthesizer, server: ContractServer) -> None:
    server.fault = Fault.FORBIDDEN
    assert (await failure(synthesizer)).retry is Retry.NEVER


async def test_busy(synthesizer: Synthesizer, server: ContractServer) -> None:
    server.fault = Fault.BUSY
    assert (await failure(synthesizer)).retry is Retry.LATER


async def test_broken(synthesizer: Synthesizer, server: ContractServer) -> None:
    server.fault = Fault.BROKEN
    assert (await failure(synthesizer)).retry is Retry.NOW


async def test_reset(synthesizer: Synthesizer, server: ContractServer) -> None:
    server.fault = Fault.RESET
    failed = await failure(synthesizer)
    assert failed.retry is Retry.NOW
    assert server.key not in str(failed)


async def test_silent_stop(synthesizer: Synthesizer, server: ContractServer) -> None:
    """Speech that just stops is not whole."""
    server.fault = Fault.SILENT_STOP
    assert (await failure(synthesizer)).retry is Retry.NOW


async def test_malformed(synthesizer: Synthesizer, server: ContractServer) -> None:
    """What cannot be understood is passed over, or fails at once; it never hangs."""
    server.fault = Fault.MALFORMED
    try:
        speech = await spoken(synthesizer)
    except ProviderError as failed:
        assert failed.retry is Retry.NOW
    else:
        assert word_error_rate(TEXT, await recognised(speech.pcm)) <= MAX_WER


async def test_slow(synthesizer: Synthesizer, server: ContractServer) -> None:
    """A server that gives nothing is let go of."""
    server.fault = Fault.SLOW
    assert (await failure(synthesizer, IMPATIENT)).retry is Retry.NOW


async def test_late_audio(synthesizer: Synthesizer, server: ContractServer) -> None:
    """What comes after a cancel is heard by nobody, and the next speech is whole."""
    server.fault, server.faults_left = Fault.LATE_AUDIO, 1
    result = await synthesizer.create_speech(f"{TEXT} {TEXT}")
    async with asyncio.timeout(SECONDS):
        await anext(result.chunk_generator)
        await result.chunk_generator.aclose()
    speech = await spoken(synthesizer, OTHER)
    assert word_error_rate(OTHER, await recognised(speech.pcm)) <= MAX_WER
