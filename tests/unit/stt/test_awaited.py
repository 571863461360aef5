"""Who is waited for, and how long, on a clock that the test moves."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from unit.stt.scribe import Job, Scribe, VoiceActivity, audio_of, hearing, settle, until

from parley.messages import EndOfTurn, Retry, Transcription
from parley.providers import Cue, Emit, Heard, ProviderError
from parley_stt.awaited import FINAL_SECONDS, LONGEST_SECONDS, AwaitedFinal
from parley_stt.feed import ITEMS


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    async def move(self, seconds: float) -> None:
        self.now += seconds
        await settle()


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: clock.now)
    return clock


class Worker(Scribe):
    """Says whether it works."""

    is_working = True


def waiting(final: AwaitedFinal) -> "asyncio.Task[None]":
    return asyncio.create_task(final.wait())


async def test_a_final_in_time_ends_the_wait(clock: Clock) -> None:
    final = AwaitedFinal(Scribe())
    wait = waiting(final)
    final.asked()
    await clock.move(FINAL_SECONDS - 0.1)
    final.done()
    await wait


async def test_without_the_final_another_worker_is_to_try_at_once(clock: Clock) -> None:
    final = AwaitedFinal(Scribe())
    wait = waiting(final)
    final.asked()
    await clock.move(FINAL_SECONDS - 0.1)
    assert not wait.done()
    await clock.move(0.2)
    with pytest.raises(ProviderError, match="no final transcription") as caught:
        await wait
    assert caught.value.retry is Retry.NOW


async def test_the_time_begins_with_finalize(clock: Clock) -> None:
    final = AwaitedFinal(Scribe())
    wait = waiting(final)
    for _ in range(20):
        final.took()
        await clock.move(FINAL_SECONDS - 0.1)
    final.asked()
    await clock.move(FINAL_SECONDS - 0.1)
    assert not wait.done()
    final.took()
    await clock.move(0.2)
    assert wait.done() and wait.exception(), "audio taken after FINALIZE is no sign of the final"


async def test_results_are_signs_of_life_but_not_for_ever(clock: Clock) -> None:
    final = AwaitedFinal(Scribe())
    wait = waiting(final)
    final.asked()
    began = clock.now
    while clock.now < began + LONGEST_SECONDS - 1.1:
        await clock.move(1.0)
        final.gave()
        assert not wait.done()
    await clock.move(1.2)
    assert wait.done() and wait.exception()


async def test_a_transcriber_that_works_is_waited_for(clock: Clock) -> None:
    worker = Worker()
    final = AwaitedFinal(worker)
    wait = waiting(final)
    final.asked()
    for _ in range(20):
        await clock.move(FINAL_SECONDS + 0.1)
    assert not wait.done()
    worker.is_working = False
    await clock.move(FINAL_SECONDS + 0.1)
    assert wait.done() and wait.exception()


async def test_a_turn_without_its_final_fails_the_hearing(clock: Clock) -> None:
    job, scribe = Job(), Scribe()
    scribe.answers = False
    job.say("#" * 6 + "." * 12)
    with pytest.raises(ProviderError, match="no final transcription"):
        async with hearing(job, scribe) as running:
            await until(lambda: Cue.FINALIZE in scribe.got, running)
            await clock.move(FINAL_SECONDS + 0.1)
            assert running.done()
    assert EndOfTurn not in job.kinds


class Tardy(Worker):
    """Answers when it is allowed to."""

    def __init__(self) -> None:
        super().__init__()
        self.may = asyncio.Event()

    async def transcribe(self, audio: AsyncIterator[bytes | Cue], emit: Emit) -> None:
        async for item in audio:
            self.got.append(item)
            if item is Cue.FINALIZE:
                await self.may.wait()
                emit(Heard("words", True))


async def test_a_final_that_is_late_for_much_work_is_the_turns(clock: Clock) -> None:
    job, tardy = Job(), Tardy()
    job.say("#" * 6 + "." * 12)
    async with hearing(job, tardy) as running:
        await until(lambda: Cue.FINALIZE in tardy.got, running)
        await clock.move(FINAL_SECONDS + 0.1)
        tardy.may.set()
        await until(lambda: EndOfTurn in job.kinds, running)
    assert job.kinds[-2:] == [Transcription, EndOfTurn]


class SlowVoiceActivity(VoiceActivity):
    """Takes a while for each batch."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    async def probabilities(self, windows: Sequence[bytes]) -> list[float]:
        await self._clock.move(FINAL_SECONDS - 0.1)
        return await super().probabilities(windows)


async def test_a_transcriber_that_is_made_to_wait_is_not_late(clock: Clock) -> None:
    job = Job()
    job.put_audio(audio_of("#" * 6 + "." * 12 + "#" * (ITEMS // 2)))
    slow = SlowVoiceActivity(clock)
    async with hearing(job, Scribe(), voice_activity=slow) as running:
        await until(lambda: EndOfTurn in job.kinds, running)
    assert slow.windows == 18 + ITEMS // 2


class Deaf(Scribe):
    """Takes nothing."""

    async def transcribe(self, audio: AsyncIterator[bytes | Cue], emit: Emit) -> None:
        await asyncio.Event().wait()


async def test_a_turn_that_the_transcriber_does_not_take_fails_the_hearing(clock: Clock) -> None:
    job = Job()
    job.say("#" * 6 + "." * 12)
    with pytest.raises(ProviderError, match="no final transcription"):
        async with hearing(job, Deaf()) as running:
            await settle()
            await clock.move(FINAL_SECONDS + 0.1)
            assert running.done()


async def test_speech_that_the_transcriber_does_not_take_fails_the_hearing(clock: Clock) -> None:
    job = Job()
    job.put_audio(audio_of("#" * (ITEMS + 10)))
    with pytest.raises(ProviderError, match="takes no audio"):
        async with hearing(job, Deaf()) as running:
            await settle()
            await settle()
            await clock.move(FINAL_SECONDS + 0.1)
            assert running.done()
