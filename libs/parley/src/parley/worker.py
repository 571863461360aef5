"""The one worker loop of all three stages: offer, accept, run, stream out, finish.

A worker subscribes to its stage's job subject, in a queue group, only while it has room.
Full or draining means unsubscribed, so NATS itself routes to whoever has capacity, and
answers *no responders* at once when nobody has. A service adds a `JobHandler`, no more.
"""

import asyncio
import secrets
import socket
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from pydantic import ValidationError

from parley import logs, metrics, providers, subjects, tracing
from parley.bus import Bus, decode_or_drop, respond, unsubscribe
from parley.job import Job
from parley.messages import (
    Done,
    Draining,
    Failed,
    JobAccepted,
    JobRefused,
    JobRequest,
    Message,
    Retry,
    WorkerStatus,
    what_is_wrong,
)
from parley.operating import Drain
from parley.providers import ProviderError
from parley.subjects import Stage

log = logs.get(__name__)

STATUS_SECONDS = 1.0
"""How often a worker says what it has."""
TICK_SECONDS = 0.125
BEGIN_SECONDS = 2.0
"""How long an accepted job waits for the gateway's word. A worker that was frozen when it was
asked answers nobody, hears nothing, and lets go."""

OUTCOMES = ("done", "failed", "cancelled", "abandoned", "refused", "unclaimed")
"""Of jobs, as a worker counts them."""

JobRun = Callable[[Job], Awaitable[None]]


class JobHandler(Protocol):
    """What a service adds to the loop."""

    def open(self, request: JobRequest) -> JobRun:
        """What runs this job. Raises ProviderError where it cannot be run here."""


class Worker:
    """Runs up to `capacity` jobs of one stage at once, until `stop` is called.

    `on_drain` is called when an operator wants it to stop; by default, that is `stop`.
    """

    def __init__(
        self,
        bus: Bus,
        stage: Stage,
        handler: JobHandler,
        *,
        capacity: int,
        providers: list[str] | None = None,
        drain_seconds: float = 60.0,
        on_drain: Callable[[], None] | None = None,
    ) -> None:
        self.id = f"{stage}-{secrets.token_hex(4)}"
        self.stage = stage
        self.capacity = capacity
        self._bus = bus
        self._handler = handler
        self._providers = providers or []
        self._drain_seconds = drain_seconds
        self._on_drain = on_drain or self.stop
        self._host = socket.gethostname()
        self._offers: list[Subscription] = []
        self._jobs: dict[Job, asyncio.Task[None]] = {}
        self._stopping = asyncio.Event()
        self._idle = asyncio.Event()
        self._tasks = asyncio.TaskGroup()
        metrics.CAPACITY.labels(stage).set(capacity)
        metrics.start_at_zero(metrics.JOBS_RUNNING, [stage])
        metrics.start_at_zero(metrics.JOBS, [stage], OUTCOMES)

    @property
    def running(self) -> int:
        """Jobs under way now."""
        return len(self._jobs)

    @property
    def offering(self) -> bool:
        """Whether a job can be claimed here now."""
        return bool(self._offers)

    def stop(self) -> None:
        """Take no new job; `run` returns when those under way are done, or after the deadline."""
        self._stopping.set()

    async def run(self) -> None:
        """Offer capacity and run what comes, until stopped."""
        async with self._tasks as tasks:
            ticker = tasks.create_task(self._tick())
            probe = await self._bus.subscribe(subjects.probe(self.stage, self.id), _ignore)
            orders = await self._bus.subscribe(subjects.operate(self.id), self._on_order)
            await self._update_offer()
            log.info("worker ready", worker=self.id, capacity=self.capacity)
            await self._stopping.wait()
            await self._drain()
            await unsubscribe(probe)
            await unsubscribe(orders)
            ticker.cancel()
        await self._announce("gone")

    async def _on_order(self, msg: Msg) -> None:
        if isinstance(decode_or_drop(msg.data, msg.subject), Drain):
            log.info("told to drain", worker=self.id)
            self._on_drain()
            await respond(msg, self._status("draining"))

    # --- Offer and accept

    async def _update_offer(self) -> None:
        wanted = self.running < self.capacity and not self._stopping.is_set()
        if wanted and not self._offers:
            anyone, me = subjects.job(self.stage), subjects.job_of(self.stage, self.id)
            self._offers = [
                await self._bus.subscribe(anyone, self._on_claim, queue=self.stage),
                await self._bus.subscribe(me, self._on_claim),
            ]
        elif not wanted and self._offers:
            offers, self._offers = self._offers, []
            for offer in offers:
                await unsubscribe(offer)

    async def _on_claim(self, msg: Msg) -> None:
        request = decode_or_drop(msg.data, msg.subject)
        if not isinstance(request, JobRequest) or not msg.reply:
            return
        answer = await self._accept(request, msg.headers)
        if isinstance(answer, JobRefused):
            metrics.JOBS.labels(self.stage, "refused").inc()
            log.info("job refused", conversation=request.conversation_id, reason=answer.reason)
        await respond(msg, answer)

    async def _accept(self, request: JobRequest, headers: tracing.Headers | None) -> Message:
        if self.running >= self.capacity or self._stopping.is_set():
            return JobRefused(reason="no capacity")
        try:
            run = self._open(request)
            job = Job(self._bus, request)
        except ProviderError as error:
            return JobRefused(reason=str(error), retry=error.retry, retry_after=error.retry_after)
        except ValidationError as error:
            return JobRefused(reason=f"bad request: {what_is_wrong(error)}", retry=Retry.NEVER)
        except ValueError as error:
            return JobRefused(reason=f"bad request: {error}", retry=Retry.NEVER)
        job.span = self._span(request, headers)
        # Listening before the job is accepted: nothing sent after the acceptance is missed.
        await job.listen()
        task = self._tasks.create_task(self._run(job, run))
        job.on_cancel = task.cancel
        self._jobs[job] = task
        metrics.JOBS_RUNNING.labels(self.stage).set(self.running)
        await self._update_offer()
        return JobAccepted(worker_id=self.id)

    def _span(self, request: JobRequest, headers: tracing.Headers | None) -> tracing.Span:
        span = tracing.continued(f"{self.stage} job", headers)
        span.set(
            {
                "parley.conversation.id": request.conversation_id,
                "parley.turn": request.turn,
                "parley.attempt": request.attempt,
                "parley.provider": str(request.spec.get("provider")),
                "parley.worker": self.id,
            }
        )
        return span

    def _open(self, request: JobRequest) -> JobRun:
        name = str(request.spec.get("provider"))
        if providers.is_new(self.stage, name):
            return partial(self._load_and_run, request)
        return self._handler.open(request)

    async def _load_and_run(self, request: JobRequest, job: Job) -> None:
        """An SDK takes seconds to import: the claim is answered before that, other jobs go on."""
        await asyncio.to_thread(providers.load, self.stage, str(request.spec.get("provider")))
        await self._handler.open(request)(job)

    # --- Run and finish

    async def _run(self, job: Job, run: JobRun) -> None:
        outcome = "failed"
        tracing.enter(job.span)
        try:
            if not await _begun(job):
                outcome = "unclaimed"
                return
            await run(job)
            await job.send(Done)
            outcome = "done"
        except asyncio.CancelledError:
            outcome = job.cancelled_as or "cancelled"
            if job.cancelled_as is None:
                job.span.fail("input_lost" if job.failure else "worker_stopped")
                reason = job.failure or "the worker stopped"
                await job.send(Failed, reason=reason, retry=Retry.NOW)
        except ProviderError as error:
            job.span.fail(type(error).__name__)
            log.warning("job failed", **job.context, reason=str(error))
            await job.send(
                Failed, reason=str(error), retry=error.retry, retry_after=error.retry_after
            )
        except Exception as error:
            job.span.fail(type(error).__name__)
            log.exception("job failed", **job.context)
            await job.send(Failed, reason="internal error in the worker", retry=Retry.NOW)
        finally:
            await self._finish(job, outcome)

    async def _finish(self, job: Job, outcome: str) -> None:
        self._jobs.pop(job, None)
        job.span.set({"parley.outcome": outcome})
        job.span.end()
        await job.close()
        metrics.JOBS.labels(self.stage, outcome).inc()
        metrics.JOBS_RUNNING.labels(self.stage).set(self.running)
        if not self._jobs:
            self._idle.set()
        await self._update_offer()

    async def _drain(self) -> None:
        await self._update_offer()
        await self._announce("draining")
        if self._jobs:
            log.info("draining", worker=self.id, jobs=self.running)
            for job in list(self._jobs):
                await job.send(Draining)
            self._idle.clear()
            try:
                async with asyncio.timeout(self._drain_seconds):
                    await self._idle.wait()
            except TimeoutError:
                log.warning("drain deadline passed", worker=self.id, jobs=self.running)
        for task in list(self._jobs.values()):
            task.cancel()

    # --- Each tick

    async def _tick(self) -> None:
        next_status = time.monotonic()
        while True:
            now = time.monotonic()
            for job in list(self._jobs):
                await job.tick(now)
            if now >= next_status:
                next_status = now + STATUS_SECONDS
                await self._announce("draining" if self._stopping.is_set() else "ready")
            await asyncio.sleep(TICK_SECONDS)

    async def _announce(self, state: str) -> None:
        if self._bus.connected:
            await self._bus.publish(subjects.worker(self.stage, self.id), self._status(state))

    def _status(self, state: str) -> WorkerStatus:
        return WorkerStatus.model_validate(
            {
                "worker_id": self.id,
                "host": self._host,
                "stage": self.stage,
                "capacity": self.capacity,
                "running": self.running,
                "state": state,
                "providers": self._providers,
            }
        )


async def _begun(job: Job) -> bool:
    try:
        async with asyncio.timeout(BEGIN_SECONDS):
            await job.begun.wait()
    except TimeoutError:
        log.info("nobody waits for this job any more", **job.context)
        return False
    return True


async def _ignore(msg: Msg) -> None:
    """A probe: that it arrives is all."""
