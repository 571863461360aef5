"""What hearing tells the gateway, in the right order and with the right positions."""

import asyncio
import time
from collections import deque
from typing import Any

from parley.faults import InputLost
from parley.job import Job
from parley.messages import EagerEndOfTurn, EndOfTurn, JobMessage, SpeechStarted, Transcription
from parley.messages import TurnResumed as Resumed
from parley.metrics import PROVIDER_FIRST_RESULT
from parley.providers import (
    CUE_LAG_MS,
    Cue,
    Heard,
    ProviderError,
    Transcriber,
    TurnEnded,
    TurnProbablyEnded,
    TurnResumed,
)
from parley.subjects import Stage
from parley_stt import metrics
from parley_stt.awaited import AwaitedFinal
from parley_stt.endpointing import PAUSE_MS
from parley_stt.given import GivenAudio
from parley_stt.timeline import Window

OUTBOX_MESSAGES = 500
"""What may wait to be sent. When it is full the job fails, and is tried again elsewhere."""
LEAD_IN_MS = float(CUE_LAG_MS)
"""Silence before FINALIZE that a final does not cover: the next word's onset may be in it."""


class _Closing:
    """A turn that is over but for its final transcription."""

    def __init__(self, position_ms: float, final: AwaitedFinal) -> None:
        self.position_ms = position_ms
        self.final = final
        self.asked_ms: float | None = None
        """What the transcriber had been given when it got FINALIZE."""
        self.asked_at = 0.0

    def is_answered_by(self, final: Heard) -> bool:
        """Whether this is the turn's last final, rather than one given before it was asked for."""
        if self.asked_ms is None:
            return False
        return final.end_ms is None or final.end_ms >= self.asked_ms


class Reporter:
    """Sends a job's messages; holds each end of turn back until the final is out."""

    def __init__(
        self, job: Job, transcriber: Transcriber, endpointing_ms: float, provider: str
    ) -> None:
        self._job = job
        self._transcriber = transcriber
        self._took = PROVIDER_FIRST_RESULT.labels(Stage.STT, provider)
        # The pause after the voice belongs to what was said, the rest of the silence to nothing.
        self._lead_in_ms = max(0.0, min(LEAD_IN_MS, endpointing_ms - PAUSE_MS))
        self._outbox: asyncio.Queue[tuple[type[JobMessage], dict[str, Any]]] = asyncio.Queue(
            OUTBOX_MESSAGES
        )
        self._closings: deque[_Closing] = deque()
        self._given = GivenAudio()
        self._covered_ms = 0.0
        self._is_told = False
        self.position_ms = 0.0
        """Where in the call's audio hearing is."""

    async def run(self) -> None:
        """Send what is told, for as long as the job lasts."""
        while True:
            kind, fields = await self._outbox.get()
            await self._job.send(kind, **fields)

    def tell(self, kind: type[JobMessage], **fields: Any) -> None:
        """Send this after all that was told before. Raises InputLost when full."""
        try:
            self._outbox.put_nowait((kind, fields))
        except asyncio.QueueFull:
            raise InputLost("what was heard could not be sent in time") from None

    def tell_start(self, position_ms: float) -> None:
        """Tell that the caller began to speak there."""
        self._is_told = False
        self.tell(SpeechStarted, position_ms=position_ms)

    # --- What the transcriber gets and gives

    def gave(self, item: Window | Cue) -> None:
        """The transcriber has this now. After FINALIZE its answer closes the oldest open turn."""
        unasked = [closing for closing in self._closings if closing.asked_ms is None]
        if isinstance(item, Window):
            self._given.append(item)
            for closing in unasked:
                closing.final.took()
        elif item is Cue.FINALIZE and unasked:
            unasked[0].asked_ms = self._given.ms
            unasked[0].asked_at = time.monotonic()
            unasked[0].final.asked()

    def covered_ms(self, heard: Heard) -> float:
        """Up to where in the call's audio a transcription has all words."""
        if heard.end_ms is None:
            return self.position_ms
        return self._given.position_ms(heard.end_ms)

    def held_back(self) -> None:
        """The transcriber is made to wait for audio: it is not to blame."""
        for closing in self._closings:
            closing.final.took()

    def heard(self, result: Heard | TurnProbablyEnded | TurnResumed | TurnEnded) -> None:
        """Tell what a transcriber emits."""
        for closing in self._closings:
            closing.final.gave()
        match result:
            case Heard():
                self._tell_heard(result)
            case TurnProbablyEnded():
                self.tell(EagerEndOfTurn, position_ms=self.position_ms)
            case TurnResumed():
                self.tell(Resumed, position_ms=self.position_ms)
            # The answer to FINALIZE ends the turn already, or has done so.
            case TurnEnded() if not self._closings and not self._is_told:
                self.tell_end(self.position_ms)

    def _tell_heard(self, result: Heard) -> None:
        self._is_told = self._is_told and not result.message
        answered = self._answered_by(result)
        self.tell(
            Transcription,
            message=result.message,
            confidence=result.confidence,
            is_final=result.is_final,
            position_ms=self._cover(result, answered)
            if result.is_final
            else self.covered_ms(result),
            took_ms=result.took_ms,
        )
        if answered is not None:
            self._closings.remove(answered)
            answered.final.done()
            self._took.observe(time.monotonic() - answered.asked_at)
            self.tell_end(answered.position_ms)

    def _answered_by(self, result: Heard) -> _Closing | None:
        oldest = self._closings[0] if self._closings else None
        answers = oldest is not None and result.is_final and oldest.is_answered_by(result)
        return oldest if answers else None

    def _cover(self, final: Heard, answered: _Closing | None) -> float:
        end_ms = final.end_ms
        if end_ms is None and answered is not None and answered.asked_ms is not None:
            end_ms = answered.asked_ms - self._lead_in_ms
        elif end_ms is None:
            end_ms = self._given.ms
        self._covered_ms = max(self._covered_ms, min(end_ms, self._given.ms))
        return self._given.position_ms(self._covered_ms)

    # --- Ends of turns

    @property
    def is_closing(self) -> bool:
        """Whether a turn waits for its final: what is heard may belong to it."""
        return bool(self._closings)

    def tell_end(self, position_ms: float) -> None:
        """Tell that the turn is over, as decided there."""
        self._is_told = True
        self.tell(EndOfTurn, position_ms=position_ms)

    def end_turn(self, position_ms: float, tasks: asyncio.TaskGroup) -> None:
        """Tell the end of the turn, after its final transcription, without which the job fails."""
        closing = _Closing(position_ms, AwaitedFinal(self._transcriber))
        self._closings.append(closing)
        tasks.create_task(self._await_final(closing))

    async def _await_final(self, closing: _Closing) -> None:
        try:
            await closing.final.wait()
        except ProviderError:
            metrics.LATE_FINALS.inc()
            raise
