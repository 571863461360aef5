"""What every transcriber must do, whoever provides it."""

import asyncio

import pytest

from conformance import candidates
from conformance.hearing import SCRIPT, Hearing, hearing, silence, spoken
from contract.servers.base import ContractServer, Fault
from parley.messages import Retry
from parley.providers import Provider, ProviderError, ProviderSettings, Transcriber, TurnEnded
from parley.subjects import Stage
from support.words import word_error_rate

pytestmark = pytest.mark.parametrize("candidate", candidates.of(Stage.STT), ids=str)

MAX_WER = 0.35
"""The recogniser behind the servers is a small one."""
ANSWER_SECONDS = 8.0


@pytest.fixture
def transcriber(kind: type[Provider], settings: ProviderSettings) -> Transcriber:
    assert issubclass(kind, Transcriber)
    return kind(settings, "en-US")


async def heard_whole(transcriber: Transcriber) -> Hearing:
    """The recording, heard to its end."""
    async with hearing(transcriber, spoken()) as heard:
        await heard.answered(ANSWER_SECONDS)
    return heard


async def failure(transcriber: Transcriber, seconds: float) -> ProviderError:
    """How hearing fails."""
    with pytest.raises(ProviderError) as failed:
        async with hearing(transcriber, spoken()) as heard, asyncio.timeout(seconds):
            await heard.task
    return failed.value


async def test_conversation(transcriber: Transcriber) -> None:
    heard = await heard_whole(transcriber)
    assert word_error_rate(SCRIPT, heard.said) <= MAX_WER


async def test_interruption(transcriber: Transcriber) -> None:
    """Words come while the caller still speaks: that is how an interruption is understood."""
    async with hearing(transcriber, spoken()) as heard:
        async with asyncio.timeout(ANSWER_SECONDS):
            while not heard.results:
                await asyncio.sleep(0.01)
        assert heard.asked_at is None or heard.asked_at > 0
        if transcriber.capabilities.gives_partials:
            await heard.answered(ANSWER_SECONDS)
            assert heard.partials


async def test_end_of_turn(transcriber: Transcriber) -> None:
    """It tells of the end of a turn, if it says that it does."""
    if not transcriber.capabilities.detects_end_of_turn:
        pytest.skip("not applicable: the engine decides for it")
    async with hearing(transcriber, spoken()) as heard, asyncio.timeout(ANSWER_SECONDS):
        while not any(isinstance(one, TurnEnded) for one in heard.results):
            await asyncio.sleep(0.01)


async def test_silence(transcriber: Transcriber) -> None:
    """Where nobody spoke, the answer is an empty final."""
    async with hearing(transcriber, silence(1.0)) as heard:
        await heard.answered(4.0)
    assert heard.said == ""


async def test_cancel(transcriber: Transcriber, server: ContractServer | None) -> None:
    """Cancelled in mid-speech, it is gone at once; the fixtures look for what is left over."""
    async with hearing(transcriber, spoken()) as heard:
        while heard.given < 60:
            await asyncio.sleep(0.01)
        heard.task.cancel()
        async with asyncio.timeout(2.0):
            await asyncio.wait([heard.task])
    if server is not None:
        async with asyncio.timeout(2.0):
            while server.streams:
                await asyncio.sleep(0.01)


async def test_two_calls(
    kind: type[Provider], settings: ProviderSettings, server: ContractServer | None
) -> None:
    """Two calls at once do not hear each other."""
    assert issubclass(kind, Transcriber)
    loud, quiet = kind(settings, "en-US"), kind(settings, "en-US")
    async with hearing(loud, spoken()) as one, hearing(quiet, silence(2.0)) as other:
        await one.answered(ANSWER_SECONDS)
        await other.answered(ANSWER_SECONDS)
    assert word_error_rate(SCRIPT, one.said) <= MAX_WER
    assert other.said == ""


async def test_unauthorized(transcriber: Transcriber, server: ContractServer) -> None:
    server.fault = Fault.UNAUTHORIZED
    failed = await failure(transcriber, 5.0)
    assert failed.retry is Retry.NEVER
    assert server.key not in str(failed)


async def test_forbidden(transcriber: Transcriber, server: ContractServer) -> None:
    server.fault = Fault.FORBIDDEN
    assert (await failure(transcriber, 5.0)).retry is Retry.NEVER


async def test_busy(transcriber: Transcriber, server: ContractServer) -> None:
    server.fault = Fault.BUSY
    failed = await failure(transcriber, 5.0)
    if failed.retry is Retry.NOW:  # gRPC's own, where the call ends just as it is written to
        failed = await failure(transcriber, 5.0)
    assert failed.retry is Retry.LATER


async def test_broken(transcriber: Transcriber, server: ContractServer) -> None:
    server.fault = Fault.BROKEN
    assert (await failure(transcriber, 8.0)).retry is Retry.NOW


async def test_slow(transcriber: Transcriber, server: ContractServer) -> None:
    """A server that says nothing: the worker is not left without an answer."""
    server.fault = Fault.SLOW
    try:
        await heard_whole(transcriber)
    except ProviderError as failed:
        assert failed.retry is Retry.NOW


async def test_reset(transcriber: Transcriber, server: ContractServer) -> None:
    """The connection breaks once: it is made anew, and no word is lost."""
    server.fault, server.faults_left = Fault.RESET, 1
    heard = await heard_whole(transcriber)
    assert server.requests > 1
    assert word_error_rate(SCRIPT, heard.said) <= MAX_WER


async def test_reset_for_ever(transcriber: Transcriber, server: ContractServer) -> None:
    server.fault = Fault.RESET
    assert (await failure(transcriber, 12.0)).retry is Retry.NOW


async def test_silent_stop(transcriber: Transcriber, server: ContractServer) -> None:
    """A stream that just ends is a connection that broke."""
    server.fault, server.faults_left = Fault.SILENT_STOP, 1
    heard = await heard_whole(transcriber)
    assert server.requests > 1
    assert word_error_rate(SCRIPT, heard.said) <= MAX_WER


async def test_malformed(transcriber: Transcriber, server: ContractServer) -> None:
    """What cannot be understood is passed over, or fails at once; it never hangs."""
    server.fault, server.faults_left = Fault.MALFORMED, 1
    try:
        heard = await heard_whole(transcriber)
    except ProviderError as failed:
        assert failed.retry is Retry.NOW
    else:
        assert word_error_rate(SCRIPT, heard.said) <= MAX_WER
