"""Makes a live transcriber of a recogniser that hears whole utterances.

At each pause the utterance so far is recognised, and again if that is asked for. If nothing
more is said, that text is the final one, there before it is asked for. While the caller speaks,
partials are made when nobody else needs the recogniser; soon after the onset, since the caller
may be interrupting.
An empty partial says that there are no words in what was heard.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from parley.providers import Cue, Emit, Heard
from parley_stt.engines.pool import RecognitionPool, Ticket, Urgency
from parley_stt.engines.recognition import Recognition
from parley_stt.engines.utterance import Utterance
from parley_stt.tasks import task_group

COMMIT_MS = 12_000
"""An utterance of this length becomes final at its next pause though the turn goes on ..."""
CUT_MS = 20_000
"""... and at this length without one: the cost of recognition grows with the length."""
YOUNG_MS = (150.0, 400.0)
"""The first two partials come so long after speech was noticed, 100 ms after the onset, ..."""
YOUNG_UTTERANCE_MS = 3_000
"""... unless the utterance is longer than this already, and costs more."""
PARTIAL_SHARE = 5
"""After a recognition, partials wait this many times as long as it took."""
ORDERS = 8
"""Recognitions that one conversation may wait for. When full, its audio waits too."""


@dataclass(eq=False)
class _Order:
    """One recognition of a conversation; they are carried out one after another.

    `covered_ms`: where its audio ends, in all the audio so far.
    `end_ms`: the same, of a final that nobody asked for.
    """

    audio: bytes
    urgency: Urgency
    covered_ms: float
    end_ms: float | None = None
    wanted: bool = True
    ticket: Ticket | None = None
    result: Recognition | None = None

    @property
    def is_final(self) -> bool:
        return self.urgency is Urgency.FINAL


class LiveRecognition:
    """Hears one conversation. Partials come about every `partial_ms` of speech, and `young_ms`
    after it was noticed.
    """

    def __init__(
        self,
        pool: RecognitionPool,
        emit: Emit,
        partial_ms: float,
        young_ms: Sequence[float] = YOUNG_MS,
    ) -> None:
        self._pool = pool
        self._emit = emit
        self._partial_ms = partial_ms
        self._young_ms = young_ms
        self._utterance = Utterance()
        self._orders: asyncio.Queue[_Order] = asyncio.Queue(ORDERS)
        self._open_orders = 0
        self._at_pause: _Order | None = None
        self._speaking = False
        self._began_ms = 0.0
        self._next_partial_ms = 0.0

    async def run(self, audio: AsyncIterator[bytes | Cue]) -> None:
        """Hear `audio` to its end; see `Transcriber.transcribe`."""
        async with task_group() as tasks:
            carrying_out = tasks.create_task(self._carry_out())
            async for item in audio:
                match item:
                    case Cue.SPEECH_STARTED:
                        self._start_speech()
                    case Cue.PAUSE:
                        await self._pause()
                    case Cue.FINALIZE:
                        await self._finalize()
                    case bytes():
                        await self._hear(item)
            if self._utterance.is_open:
                await self._finalize()
            await self._orders.join()
            carrying_out.cancel()

    @property
    def is_working(self) -> bool:
        """Whether something is to be recognised here, and recognitions get on."""
        return self._open_orders > 0 and self._pool.is_working

    # --- What is heard

    async def _hear(self, pcm: bytes) -> None:
        self._utterance.append(pcm)
        if not self._speaking:
            return
        if self._utterance.ms >= CUT_MS:
            taken = self._utterance.take(self._utterance.quietest_cut())
            await self._order(taken, Urgency.FINAL, self._utterance.begin_ms)
            self._next_partial_ms = self._utterance.end_ms + self._partial_ms
        elif self._utterance.end_ms >= self._next_partial_ms and self._nothing_to_do:
            await self._order(b"", Urgency.PARTIAL)

    def _start_speech(self) -> None:
        self._speaking = True
        paused, self._at_pause = self._at_pause, None
        if paused is not None and self._utterance.ms >= COMMIT_MS:
            self._utterance.take(len(paused.audio))
            self._make_final(paused, self._utterance.begin_ms)
        elif paused is not None:
            paused.wanted = False
        self._utterance.begin()
        self._began_ms = self._utterance.end_ms
        self._next_partial_ms = self._partial_due()

    async def _pause(self) -> None:
        self._speaking = False
        self._at_pause = await self._order(self._utterance.audio(), Urgency.PAUSE)

    async def _finalize(self) -> None:
        self._speaking = False
        paused, self._at_pause = self._at_pause, None
        if paused is not None:
            self._utterance.take(len(paused.audio))
            self._make_final(paused)
        else:
            size = len(self._utterance.audio()) if self._utterance.is_open else 0
            await self._order(self._utterance.take(size), Urgency.FINAL)
        self._utterance.end()

    # --- What is recognised

    @property
    def _nothing_to_do(self) -> bool:
        return self._open_orders == 0 and self._pool.idle

    async def _order(self, audio: bytes, urgency: Urgency, end_ms: float | None = None) -> _Order:
        order = _Order(audio, urgency, self._utterance.end_ms, end_ms)
        self._open_orders += 1
        await self._orders.put(order)
        return order

    def _make_final(self, order: _Order, end_ms: float | None = None) -> None:
        order.urgency = Urgency.FINAL
        order.end_ms = end_ms
        if order.ticket is not None:
            order.ticket.urgency = Urgency.FINAL
        if order.result is not None:
            self._deliver(order, order.result)

    async def _carry_out(self) -> None:
        while True:
            order = await self._orders.get()
            if order.urgency is Urgency.PARTIAL:
                # What was ordered since matters more; else much may have been heard since.
                order.audio = self._utterance.audio()
                order.covered_ms = self._utterance.end_ms
                order.wanted = self._orders.empty()
            if order.wanted:
                order.result = await self._recognise(order)
                self._deliver(order, order.result)
            self._open_orders -= 1
            self._orders.task_done()

    async def _recognise(self, order: _Order) -> Recognition:
        if not order.audio:
            return Recognition()
        order.ticket = self._pool.submit(order.audio, order.urgency)
        result = await order.ticket.result
        rested_ms = self._utterance.end_ms + PARTIAL_SHARE * result.took_ms
        self._next_partial_ms = max(self._partial_due(), rested_ms)
        return result

    def _partial_due(self) -> float:
        now_ms = self._utterance.end_ms
        young = [self._began_ms + ms for ms in self._young_ms if self._began_ms + ms > now_ms]
        if young and self._utterance.ms < YOUNG_UTTERANCE_MS:
            return young[0]
        return now_ms + self._partial_ms

    def _deliver(self, order: _Order, result: Recognition) -> None:
        self._emit(
            Heard(
                result.text,
                order.is_final,
                result.confidence,
                result.took_ms,
                end_ms=order.end_ms if order.is_final else order.covered_ms,
                sentence_end=result.sentence_end,
            )
        )
