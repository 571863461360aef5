"""The probability of voice in each 32 ms window, for all conversations of the process.

One run of the model for sixteen conversations costs a third of sixteen runs, so windows
that arrive within a few milliseconds of each other share one. The runs happen in a thread
of their own; the event loop never waits for them.
"""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from parley.audio import to_float
from parley_stt import metrics
from parley_stt.engines.silero import CONTEXT_SAMPLES, STATE_SHAPE, Floats, Infer

LINGER_SECONDS = 0.010
"""How long a window waits for those of other conversations."""


class Listener:
    """One conversation's voice activity: what the model remembers of it."""

    def __init__(self, shared: "VoiceActivity") -> None:
        self.state: Floats = np.zeros(STATE_SHAPE, np.float32)
        self.context: Floats = np.zeros(CONTEXT_SAMPLES, np.float32)
        self._shared = shared

    async def probability(self, window: bytes, hurry: bool = False) -> float:
        """Of voice in `window`, 512 samples of PCM16 at 16 kHz that follow the last ones.

        `hurry`: more windows wait already, so this one does not wait for company.
        """
        audio = np.concatenate([self.context, to_float(window)])
        self.context = audio[-CONTEXT_SAMPLES:]
        return await self._shared.submit(self, audio, hurry)


@dataclass(eq=False)
class _Request:
    listener: Listener
    audio: Floats
    probability: asyncio.Future[float]


class VoiceActivity:
    """Gathers the windows of all conversations into common runs of the model."""

    def __init__(self, infer: Infer) -> None:
        self._infer = infer
        self._executor = ThreadPoolExecutor(1, "voice-activity")
        self._listeners = 0
        self._waiting: list[_Request] = []
        self._linger: asyncio.TimerHandle | None = None
        self._running = False

    @contextmanager
    def listener(self) -> Iterator[Listener]:
        """A new conversation's listener, for as long as it lasts."""
        self._listeners += 1
        try:
            yield Listener(self)
        finally:
            self._listeners -= 1

    async def submit(self, listener: Listener, audio: Floats, hurry: bool) -> float:
        """The probability for one listener's audio; for `Listener.probability` only."""
        loop = asyncio.get_running_loop()
        request = _Request(listener, audio, loop.create_future())
        self._waiting.append(request)
        if hurry or len(self._waiting) >= self._listeners:
            self._run()
        elif self._linger is None:
            self._linger = loop.call_later(LINGER_SECONDS, self._run)
        return await request.probability

    def _run(self) -> None:
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
        if self._running:
            return  # what waits goes with the next run
        batch = [request for request in self._waiting if not request.probability.done()]
        self._waiting.clear()
        if not batch:
            return
        self._running = True
        metrics.VOICE_ACTIVITY_BATCH.observe(len(batch))
        loop = batch[0].probability.get_loop()
        run = loop.run_in_executor(self._executor, self._infer_batch, batch)
        run.add_done_callback(lambda done: self._deliver(batch, done))

    def _infer_batch(self, batch: list[_Request]) -> tuple[Floats, Floats]:
        audio = np.stack([request.audio for request in batch])
        state = np.stack([request.listener.state for request in batch], axis=1)
        return self._infer(audio, state)

    def _deliver(self, batch: list[_Request], done: asyncio.Future[tuple[Floats, Floats]]) -> None:
        self._running = False
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        for row, request in enumerate(batch):
            if request.probability.done():
                continue
            if isinstance(error, asyncio.CancelledError):
                request.probability.cancel()
            elif error is not None:
                request.probability.set_exception(error)
            else:
                probabilities, states = done.result()
                request.listener.state = states[:, row]
                request.probability.set_result(float(probabilities[row]))
        if self._waiting:
            self._run()
