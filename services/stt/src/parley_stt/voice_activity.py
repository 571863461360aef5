"""The probability of voice in each 32 ms window, for all conversations of the process.

One run of the model for sixteen conversations costs a third of sixteen runs, so windows
that arrive within a few milliseconds of each other share one. A conversation that is behind
has several windows in one go. The runs happen in a thread of their own; the event loop never
waits for them.
"""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from parley.audio import BYTES_PER_SAMPLE, to_float
from parley_stt import metrics
from parley_stt.engines.silero import CONTEXT_SAMPLES, STATE_SHAPE, Floats, Infer

LINGER_SECONDS = 0.010
"""How long a window waits for those of other conversations."""
_CONTEXT_BYTES = CONTEXT_SAMPLES * BYTES_PER_SAMPLE


class Listener:
    """One conversation's voice activity: what the model remembers of it."""

    def __init__(self, shared: "VoiceActivity") -> None:
        self.state: Floats = np.zeros(STATE_SHAPE, np.float32)
        self.context = bytes(_CONTEXT_BYTES)
        self._shared = shared

    async def probabilities(self, windows: Sequence[bytes]) -> list[float]:
        """Of voice in each of `windows`, 512 samples of PCM16 at 16 kHz that follow the last ones.

        Several are a backlog, and do not wait for company.
        """
        audio = []
        for window in windows:
            audio.append(self.context + window)
            self.context = window[-_CONTEXT_BYTES:]
        return await self._shared.submit(self, audio, hurry=len(windows) > 1)


@dataclass(eq=False)
class _Request:
    listener: Listener
    audio: list[bytes]
    probabilities: asyncio.Future[list[float]]


@dataclass(eq=False)
class _Result:
    probabilities: list[float]
    state: Floats


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

    async def submit(self, listener: Listener, audio: list[bytes], hurry: bool) -> list[float]:
        """The probabilities for one listener's windows; for `Listener.probabilities` only."""
        loop = asyncio.get_running_loop()
        request = _Request(listener, audio, loop.create_future())
        self._waiting.append(request)
        if hurry or len(self._waiting) >= self._listeners:
            self._run()
        elif self._linger is None:
            self._linger = loop.call_later(LINGER_SECONDS, self._run)
        return await request.probabilities

    def _run(self) -> None:
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
        if self._running:
            return  # what waits goes with the next run
        batch = [request for request in self._waiting if not request.probabilities.done()]
        self._waiting.clear()
        if not batch:
            return
        self._running = True
        metrics.VOICE_ACTIVITY_BATCH.observe(len(batch))
        loop = batch[0].probabilities.get_loop()
        run = loop.run_in_executor(self._executor, self._infer_batch, batch)
        run.add_done_callback(lambda done: self._deliver(batch, done))

    def _infer_batch(self, batch: list[_Request]) -> list[_Result]:
        results = [_Result([], request.listener.state) for request in batch]
        for step in range(max(len(request.audio) for request in batch)):
            rows = [row for row, request in enumerate(batch) if step < len(request.audio)]
            audio = to_float(b"".join(batch[row].audio[step] for row in rows))
            state = np.stack([results[row].state for row in rows], axis=1)
            probabilities, states = self._infer(audio.reshape(len(rows), -1), state)
            for index, row in enumerate(rows):
                results[row].probabilities.append(float(probabilities[index]))
                results[row].state = states[:, index]
        return results

    def _deliver(self, batch: list[_Request], done: asyncio.Future[list[_Result]]) -> None:
        self._running = False
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        for row, request in enumerate(batch):
            if request.probabilities.done():
                continue
            if isinstance(error, asyncio.CancelledError):
                request.probabilities.cancel()
            elif error is not None:
                request.probabilities.set_exception(error)
            else:
                result = done.result()[row]
                request.listener.state = result.state
                request.probabilities.set_result(result.probabilities)
        if self._waiting and self._linger is None:
            self._run()  # what came while the model ran has lingered enough, or is in a hurry
