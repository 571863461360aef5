"""What hearing tells the gateway, in the right order."""

import asyncio
from collections import deque
from typing import Any

from parley import logs
from parley.job import Job
from parley.messages import EndOfTurn, JobMessage, Transcription
from parley.providers import Heard, ProviderError, TurnEnded
from parley_stt import metrics

log = logs.get(__name__)

FINAL_SECONDS = 2.0
"""How long the end of a turn waits for the final transcription. A turn never ends in silence."""
OUTBOX_MESSAGES = 500
"""What may wait to be sent. When it is full the job fails, and is tried again elsewhere."""


class _Closing:
    """A turn that is over but for its final transcription."""

    def __init__(self, position_ms: float) -> None:
        self.position_ms = position_ms
        self.asked = False
        self.final = asyncio.Event()


class Reporter:
    """Sends a job's messages; holds each end of turn back until the final is out."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._outbox: asyncio.Queue[tuple[type[JobMessage], dict[str, Any]]] = asyncio.Queue(
            OUTBOX_MESSAGES
        )
        self._closings: deque[_Closing] = deque()
        self.position_ms = 0.0
        """Where in the call's audio hearing is."""

    async def run(self) -> None:
        """Send what is told, for as long as the job lasts."""
        while True:
            kind, fields = await self._outbox.get()
            await self._job.send(kind, **fields)

    def tell(self, kind: type[JobMessage], **fields: Any) -> None:
        """Send this after all that was told before. Raises ProviderError when full."""
        try:
            self._outbox.put_nowait((kind, fields))
        except asyncio.QueueFull:
            raise ProviderError("what was heard could not be sent in time") from None

    def heard(self, result: Heard | TurnEnded) -> None:
        """Tell a transcriber's result: this is its `emit`."""
        if isinstance(result, TurnEnded):
            self.tell(EndOfTurn, position_ms=self.position_ms)
            return
        self.tell(
            Transcription,
            message=result.message,
            confidence=result.confidence,
            is_final=result.is_final,
            position_ms=self.position_ms,
            took_ms=result.took_ms,
        )
        if result.is_final and self._closings and self._closings[0].asked:
            closing = self._closings.popleft()
            closing.final.set()
            self.tell(EndOfTurn, position_ms=closing.position_ms)

    def asked_for_final(self) -> None:
        """The transcriber has FINALIZE now: its next final closes the oldest turn that waits.

        Finals that it gave before belong to the turn too, but are not the last.
        """
        waiting = next((closing for closing in self._closings if not closing.asked), None)
        if waiting is not None:
            waiting.asked = True

    def end_turn(self, position_ms: float, tasks: asyncio.TaskGroup) -> None:
        """Tell the end of the turn, after its final transcription or FINAL_SECONDS."""
        closing = _Closing(position_ms)
        self._closings.append(closing)
        tasks.create_task(self._end_anyway(closing))

    async def _end_anyway(self, closing: _Closing) -> None:
        try:
            async with asyncio.timeout(FINAL_SECONDS):
                await closing.final.wait()
        except TimeoutError:
            if closing not in self._closings:
                return  # its final came in the same moment
            self._closings.remove(closing)
            metrics.LATE_FINALS.inc()
            log.warning("final transcription is late", **self._job.context)
            self.tell(EndOfTurn, position_ms=closing.position_ms)
