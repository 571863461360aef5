"""Which jobs say something of their provider, and which are let through to it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY

from parley import guarded
from parley.breaker import BreakerOpen
from parley.guarded import Breakers, Guarded
from parley.job import Job
from parley.messages import JobRequest, ReplyText, Retry, SpeechStarted, Transcription
from parley.providers import InputLost, ProviderError
from parley.subjects import Stage
from parley.worker import JobRun

LOST = ProviderError("lost", Retry.NOW)
Act = Callable[[Job], Any]


class FakeJob:
    """What a handler sees of a job."""

    def __init__(self, error: Exception | None = None) -> None:
        self.sent: list[type] = []
        self.error = error
        self.request = "the request"

    async def send(self, kind: type, **fields: Any) -> None:
        if self.error is not None:
            raise self.error
        self.sent.append(kind)

    async def send_audio(self, segment: int, position: int, pcm: bytes) -> None:
        self.sent.append(bytes)


class Handler:
    """Opens jobs that do what they are told."""

    def __init__(self) -> None:
        self.act: Act = answer
        self.refusal: Exception | None = None

    def open(self, request: JobRequest) -> JobRun:
        if self.refusal is not None:
            raise self.refusal
        return self.act


async def answer(job: Job) -> None:
    assert job.request
    await job.send(ReplyText, text="Hello.")


async def speak(job: Job) -> None:
    await job.send_audio(0, 0, b"")


async def nothing(job: Job) -> None:
    pass


async def hang(job: Job) -> None:
    await asyncio.Event().wait()


def failing(error: Exception) -> Act:
    async def fail(job: Job) -> None:
        raise error

    return fail


class Line:
    """A guarded handler, and jobs for it."""

    def __init__(self, stage: Stage = Stage.AGENT, **options: Any) -> None:
        self.stage = stage
        self.now = 0.0
        self.handler = Handler()
        breakers = Breakers(stage, lambda: self.now)
        self.guarded = Guarded(stage, self.handler, breakers, **options)

    def open(self, provider: str = "p", **settings: Any) -> JobRun:
        return self.guarded.open(
            JobRequest(
                stage=self.stage,
                conversation_id="c",
                turn=1,
                attempt=1,
                spec={"provider": provider, "settings": settings},
            )
        )

    async def run(self, act: Act, job: Any = None) -> None:
        self.handler.act = act
        running: Any = job or FakeJob()
        await self.open()(running)

    async def fail(self, error: Exception = LOST, times: int = 3, job: Any = None) -> None:
        for _ in range(times):
            with pytest.raises(type(error)):
                await self.run(failing(error), job)

    @property
    def is_open(self) -> bool:
        try:
            self.open()
        except BreakerOpen:
            return True
        return False


async def test_a_claim_is_refused_while_the_breaker_is_open() -> None:
    line = Line()
    await line.fail()
    with pytest.raises(BreakerOpen, match="'p'") as refused:
        line.open()
    assert (refused.value.retry, refused.value.retry_after) == (Retry.LATER, 1.0)
    line.now = 1.0
    await line.run(answer)
    assert not line.is_open


async def test_settings_have_a_breaker_each() -> None:
    line = Line()
    await line.fail()
    line.open(url="elsewhere")
    line.open(provider="q")
    assert line.is_open


async def test_retry_after_is_minded() -> None:
    line = Line()
    await line.fail(ProviderError("busy", Retry.LATER, retry_after=8), times=1)
    with pytest.raises(BreakerOpen) as refused:
        line.open()
    assert refused.value.retry_after == 8


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        (ProviderError("lost", Retry.NOW), True),
        (ProviderError("busy", Retry.LATER), True),
        (RuntimeError("a mistake in the provider"), True),
        (ProviderError("the key is refused", Retry.NEVER), False),
        (InputLost("the text never came"), False),
    ],
)
async def test_what_counts_as_a_failure(error: Exception, counts: bool) -> None:
    line = Line()
    await line.fail(error)
    assert line.is_open is counts


@pytest.mark.parametrize(("act", "closes"), [(answer, True), (speak, True), (nothing, False)])
async def test_a_job_that_sent_nothing_has_shown_nothing(act: Act, closes: bool) -> None:
    line = Line()
    await line.fail()
    line.now = 1.0
    await line.run(act)
    await line.fail(times=1)
    assert line.is_open is not closes


async def test_what_nats_does_is_not_the_providers_fault() -> None:
    line = Line()
    for _ in range(3):
        with pytest.raises(ConnectionError):
            await line.run(answer, FakeJob(ConnectionError("NATS is away")))
    assert not line.is_open


async def test_a_cancelled_probe_makes_room_for_another() -> None:
    line = Line()
    await line.fail()
    line.now = 1.0
    line.handler.act = hang
    job: Any = FakeJob()
    probe = asyncio.ensure_future(line.open()(job))
    await asyncio.sleep(0)
    assert line.is_open
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    await line.run(answer)
    assert not line.is_open


async def test_what_cannot_be_opened_says_nothing_and_takes_no_probe() -> None:
    line = Line()
    await line.fail()
    line.now = 1.0
    line.handler.refusal = ProviderError("no such setting", Retry.NEVER)
    for _ in range(5):
        with pytest.raises(ProviderError, match="no such setting"):
            line.open()
    line.handler.refusal = None
    await line.run(answer)
    assert not line.is_open


@pytest.mark.parametrize(("kind", "closes"), [(Transcription, True), (SpeechStarted, False)])
async def test_a_hearing_succeeds_with_its_first_transcription(kind: Any, closes: bool) -> None:
    async def hear(job: Job) -> None:
        await job.send(kind)
        await hang(job)

    line = Line(Stage.STT)
    await line.fail()
    line.now = 1.0
    line.handler.act = hear
    job: Any = FakeJob()
    hearing = asyncio.ensure_future(line.open()(job))
    while not job.sent:
        await asyncio.sleep(0)
    assert line.is_open is not closes
    hearing.cancel()
    await asyncio.wait([hearing])


async def test_a_hearing_that_has_come_far_is_a_success_too() -> None:
    line = Line(Stage.STT, hearing_well_seconds=0.0)
    await line.fail()
    line.now = 1.0
    line.handler.act = hang
    job: Any = FakeJob()
    hearing = asyncio.ensure_future(line.open()(job))
    async with asyncio.timeout(5):
        while line.is_open:
            await asyncio.sleep(0)
    hearing.cancel()
    await asyncio.wait([hearing])


def sample(name: str, **labels: str) -> float:
    found = REGISTRY.get_sample_value(name, {"stage": "agent", "provider": "measured", **labels})
    return found or 0.0


async def test_breakers_are_counted_by_state_and_the_oldest_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guarded, "KEPT", 2)
    line = Line()
    line.handler.act = failing(ProviderError("busy", Retry.LATER, retry_after=8))
    job: Any = FakeJob()
    with pytest.raises(ProviderError):
        await line.open("measured", model="a")(job)
    line.open("measured", model="b")
    assert sample("parley_breakers", state="open") == 1
    assert sample("parley_breakers", state="closed") == 1
    assert sample("parley_breaker_changes_total", state="open") == 1
    assert sample("parley_provider_failures_total", retry="later") == 1
    line.open("measured", model="c")
    assert sample("parley_breakers", state="open") == 0
    assert sample("parley_breakers", state="closed") == 2
