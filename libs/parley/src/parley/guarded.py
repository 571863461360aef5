"""Puts a circuit breaker between a worker's jobs and the provider that each asks for.

A claim is refused while the breaker is open, so that the gateway turns to a fallback at once.
"""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from parley import logs, metrics
from parley.breaker import Breaker, Clock, Permit, State
from parley.faults import InputLost, ProviderError
from parley.instances import asked_for
from parley.job import Job
from parley.messages import JobMessage, JobRequest, Retry, Spec, Transcription
from parley.provider_figures import ProviderFigures
from parley.subjects import Stage
from parley.worker import JobHandler, JobRun

log = logs.get(__name__)

KEPT = 64
"""So many breakers, each for settings of its own, are kept."""
HEARING_WELL_SECONDS = 10.0
"""A hearing lasts as long as the call: one that has come so far counts as a success."""


class Breakers:
    """The breakers of one process, all of one stage."""

    def __init__(self, stage: Stage, clock: Clock = time.monotonic) -> None:
        self._stage = stage
        self._clock = clock
        self._kept: dict[str, tuple[str, Breaker]] = {}

    def get(self, spec: Spec) -> Breaker:
        """The breaker of the provider, with the settings, that the spec asks for."""
        key = asked_for(spec)
        if key not in self._kept:
            if len(self._kept) >= KEPT:
                self._forget_oldest()
            who = f"the {self._stage} provider {spec.provider!r}"
            breaker = Breaker(who, self._clock, partial(self._changed, spec.provider))
            self._kept[key] = (spec.provider, breaker)
            self._begin_figures(spec.provider)
            self._count(spec.provider, breaker.state, 1)
        return self._kept[key][1]

    def _begin_figures(self, provider: str) -> None:
        stage, name = [self._stage], [provider]
        metrics.start_at_zero(metrics.PROVIDER_JOBS, stage, name)
        metrics.start_at_zero(metrics.PROVIDER_FAILURES, stage, name, Retry)
        metrics.start_at_zero(metrics.BREAKERS, stage, name, State)
        metrics.start_at_zero(metrics.BREAKER_CHANGES, stage, name, State)
        metrics.start_at_zero(metrics.PROVIDER_FIRST_RESULT, stage, name)

    def _forget_oldest(self) -> None:
        provider, breaker = self._kept.pop(next(iter(self._kept)))
        self._count(provider, breaker.state, -1)

    def _changed(self, provider: str, old: State, new: State) -> None:
        log.warning("breaker", stage=str(self._stage), provider=provider, state=str(new))
        metrics.BREAKER_CHANGES.labels(self._stage, provider, new).inc()
        self._count(provider, old, -1)
        self._count(provider, new, 1)

    def _count(self, provider: str, state: State, by: int) -> None:
        metrics.BREAKERS.labels(self._stage, provider, state).inc(by)


class Guarded:
    """A job handler whose jobs run only while their provider's breaker lets them."""

    def __init__(
        self,
        stage: Stage,
        handler: JobHandler,
        breakers: Breakers | None = None,
        hearing_well_seconds: float = HEARING_WELL_SECONDS,
    ) -> None:
        self._stage = stage
        self._handler = handler
        self._breakers = breakers or Breakers(stage)
        self._hearing_well_seconds = hearing_well_seconds

    def open(self, request: JobRequest) -> JobRun:
        """What runs this job. Raises what the handler raises, or BreakerOpen."""
        run = self._handler.open(request)
        spec = Spec.model_validate(request.spec)
        permit = self._breakers.get(spec).admit()
        rate = request.spec.get("sample_rate")
        return partial(self._run, run, permit, spec.provider, rate)

    async def _run(
        self, run: JobRun, permit: Permit, provider: str, sample_rate: int | None, job: Job
    ) -> None:
        permit.begin()
        figures = ProviderFigures(self._stage, provider, sample_rate)
        watched = _Watched(job, permit.succeeded, figures)
        well: asyncio.TimerHandle | None = None
        if self._stage is Stage.STT:
            loop = asyncio.get_running_loop()
            well = loop.call_later(self._hearing_well_seconds, permit.succeeded)
        try:
            await run(cast(Job, watched))
            if watched.has_sent:
                permit.succeeded()
        except Exception as error:
            if not watched.bus_failed:
                self._failed(permit, provider, error)
            raise
        finally:
            if well is not None:
                well.cancel()
            permit.release()

    def _failed(self, permit: Permit, provider: str, error: Exception) -> None:
        match error:
            case InputLost():
                return
            case ProviderError():
                retry, retry_after = error.retry, error.retry_after
            case _:
                retry, retry_after = Retry.NOW, None
        metrics.PROVIDER_FAILURES.labels(self._stage, provider, retry).inc()
        permit.failed(retry, retry_after)


class _Watched:
    """A job that notices what is sent: a job that sent nothing has shown nothing.

    What fails while it is sent is NATS's fault, not the provider's.
    """

    def __init__(self, job: Job, on_heard: Callable[[], object], figures: ProviderFigures) -> None:
        self._job = job
        self._on_heard = on_heard
        self._figures = figures
        self.has_sent = False
        self.bus_failed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._job, name)

    async def receive(self) -> Any:
        item = await self._job.receive()
        self._figures.takes(item)
        return item

    async def send(self, kind: type[JobMessage], **fields: Any) -> None:
        await self._sent(self._job.send(kind, **fields))
        if kind is Transcription:
            self._on_heard()

    async def send_audio(self, segment: int, position: int, pcm: bytes) -> None:
        await self._sent(self._job.send_audio(segment, position, pcm))

    async def _sent(self, sending: Any) -> None:
        try:
            await sending
        except Exception:
            self.bus_failed = True
            raise
        self.has_sent = True
        self._figures.gives()
