"""Makes a live transcriber of a recogniser that hears whole utterances.

At each pause the utterance so far is recognised. If nothing more is said, that text is the
final one, there before it is asked for. While the caller speaks, partials are made when
nobody else needs the recogniser.
"""

import asyncio
from collections.abc import AsyncIterator
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
PARTIAL_SHARE = 5
"""After a recognition, partials wait this many times as long as it took."""
ORDERS = 8
"""Recognitions that one conversation may wait for. When full, its audio waits too."""


@dataclass(eq=False)
class _Order:
    """One recognition of a conversation; they are carried out one after another.

    `end_ms`: where a final ends that nobody asked for, in all the audio so far.
    """

    audio: bytes
    urgency: Urgency
    end_ms: float | None = None
    wanted: bool = True
    ticket: Ticket | None = None
    result: Recognition | None = None

    @property
    def is_final(self) -> bool:
        return self.urgency is Urgency.FINAL


class LiveRecognition:
    """Hears one conversation. Partials come about every `partial_ms` of speech."""

    def __init__(self, pool: RecognitionPool, emit: Emit, partial_ms: float) -> None:
        self._pool = pool
        self._emit = emit
        self._partial_ms = partial_ms
        self._utterance = Utterance()
        self._orders: asyncio.Queue[_Order] = asyncio.Queue(ORDERS)
        self._open_orders = 0
        self._at_pause: _Order | None = None
        self._speaking = False
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
            self._next_partial_ms = self._utterance.ms + self._partial_ms
        elif self._utterance.ms >= self._next_partial_ms and self._nothing_to_do:
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
        self._next_partial_ms = self._utterance.ms + self._partial_ms

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
        order = _Order(audio, urgency, end_ms)
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
        rest_ms = max(self._partial_ms, PARTIAL_SHARE * result.took_ms)
        self._next_partial_ms = self._utterance.ms + rest_ms
        return result

    def _deliver(self, order: _Order, result: Recognition) -> None:
        if order.is_final or result.text:
            end_ms = order.end_ms
            self._emit(
                Heard(result.text, order.is_final, result.confidence, result.took_ms, end_ms)
            )
