"""Finding a worker for a job: ask whoever NATS chooses, and others if that one is silent."""

import asyncio
import time

from parley import subjects
from parley.bus import NoResponders, RequestTimeout
from parley.messages import AnyMessage, BadMessage, JobAccepted, JobRefused, Retry, Spec
from parley.tracing import NOTHING, Span
from parley_gateway import metrics
from parley_gateway.jobs import Job, JobChannel, JobLost, NoCapacity

TIMEOUT_SECONDS = 0.3
"""How long one worker may take to answer. Most take a millisecond."""
PATIENCE_SECONDS = 8.0
"""How long a claim is tried again while nobody has capacity: a late answer is better than none."""
REFUSED_SECONDS = 3.0
"""How long it is, at most, while all who have capacity refuse."""
AGAIN_SECONDS = 0.03
REFUSALS = 3
"""So many workers may say that the provider cannot be used for now, before they are believed."""


async def claim(
    channel: JobChannel,
    turn: int,
    spec: Spec,
    *,
    patience: float = PATIENCE_SECONDS,
    span: Span = NOTHING,
) -> Job:
    """Find a worker for a job. While NATS is away, this waits.

    `span` is the attempt in the turn's trace: it ends with the job, and the worker continues it.

    Raises NoCapacity when none has room for `patience` s of NATS being there; JobLost when
    workers refuse.
    """
    began = time.monotonic()
    try:
        with span.child("claim", began):
            job = await _Claim(channel, turn, spec, patience, span).run()
    except BaseException as error:
        if isinstance(error, JobLost):
            span.fail(error.cause)
        span.end()
        raise
    metrics.CLAIM.labels(channel.stage).observe(time.monotonic() - began)
    return job


class _Claim:
    """One search for a worker."""

    def __init__(
        self, channel: JobChannel, turn: int, spec: Spec, patience: float, span: Span
    ) -> None:
        self._span = span
        self._headers = span.headers
        self._channel = channel
        self._turn = turn
        self._spec = spec
        self._patience = patience
        self._workers = channel.pool.workers
        self._tried: set[str] = set()
        self._named = self._workers.has_suspects(channel.stage)
        self._refusals = 0
        self._refused = False
        self._reason = "no worker of this stage has capacity"
        self._job = channel.new_job(turn, spec)

    async def run(self) -> Job:
        try:
            return await self._search()
        except BaseException:
            await self._job.cancel()
            raise

    async def _search(self) -> Job:
        waited = 0.0
        while True:
            await self._channel.bus.wait_connected()
            began = time.monotonic()
            if await self._ask():
                return self._job
            waited += min(time.monotonic() - began, self._channel.bus.connected_seconds)
            patience = min(self._patience, REFUSED_SECONDS) if self._refused else self._patience
            if waited >= patience and not (self._named and self._untried()):
                raise NoCapacity(self._channel.stage, self._reason, Retry.LATER)
            await asyncio.sleep(AGAIN_SECONDS)
            waited += AGAIN_SECONDS

    async def _ask(self) -> bool:
        """Ask one worker; False if it should be another."""
        stage, count = self._channel.stage, metrics.JOBS.labels
        try:
            answer = await self._request()
        except NoResponders:
            count(stage, "no_capacity").inc()
            self._named = self._refused = False
            return False
        except (RequestTimeout, BadMessage):
            # That worker may have accepted after all: it is told not to, and without a word
            # from here it would not begin. The next one gets another attempt's number.
            count(stage, "timeout").inc()
            self._named = True
            await self._job.cancel()
            self._job = self._channel.new_job(self._turn, self._spec)
            return False
        if isinstance(answer, JobAccepted):
            count(stage, "accepted").inc()
            self._job.span = self._span
            await self._job.begin(answer.worker_id)
            return True
        count(stage, "refused").inc()
        if isinstance(answer, JobRefused):
            self._refused = True
            self._weigh(answer)
        return False

    async def _request(self) -> AnyMessage:
        subject = subjects.job(self._channel.stage)
        if self._named:
            if untried := self._untried():
                self._tried.add(untried[0])
                subject = subjects.job_of(self._channel.stage, untried[0])
            else:
                self._tried.clear()
                self._named = False
        return await self._channel.bus.request(
            subject, self._job.request(), TIMEOUT_SECONDS, self._headers
        )

    def _untried(self) -> list[str]:
        candidates = self._workers.candidates(self._channel.stage)
        return [one for one in candidates if one not in self._tried]

    def _weigh(self, answer: JobRefused) -> None:
        self._reason = answer.reason
        self._refusals += answer.retry is Retry.LATER
        if answer.retry is Retry.NEVER or self._refusals >= REFUSALS:
            raise JobLost(
                self._channel.stage,
                answer.reason,
                answer.retry,
                by_provider=True,
                retry_after=answer.retry_after,
            )
