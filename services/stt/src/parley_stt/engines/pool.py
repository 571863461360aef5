"""A few threads that recognise for all conversations: finals first, partials when idle."""

import asyncio
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from time import monotonic

from parley_stt import metrics
from parley_stt.engines.recognition import Recognition

STUCK_SECONDS = 10.0
"""The longest recognition takes about a second; one that takes so long will not end."""


class Urgency(IntEnum):
    """Who goes first: the lower, the sooner."""

    FINAL = 0
    """A turn waits for it."""
    PAUSE = 1
    """It will be the final, if nothing more is said."""
    PARTIAL = 2
    """Only for show."""


@dataclass(eq=False)
class Ticket:
    """One recognition that was asked for. The urgency may change while it waits."""

    audio: bytes
    urgency: Urgency
    result: asyncio.Future[Recognition]


class RecognitionPool:
    """Runs `recognise` on PCM16 at 16 kHz in `threads` threads."""

    def __init__(self, recognise: Callable[[bytes], Recognition], threads: int) -> None:
        self._recognise = recognise
        self._threads = threads
        self._executor = ThreadPoolExecutor(threads, "recognition", _step_back)
        self._waiting: list[Ticket] = []
        self._running = 0
        self._progress = monotonic()

    @property
    def idle(self) -> bool:
        """Whether a recognition would begin at once."""
        return not self._waiting and self._running < self._threads

    @property
    def is_working(self) -> bool:
        """Whether recognitions are under way, and come to an end."""
        return self._running > 0 and monotonic() - self._progress < STUCK_SECONDS

    def submit(self, audio: bytes, urgency: Urgency) -> Ticket:
        """Ask for a recognition; cancel its result if nobody wants it any more."""
        ticket = Ticket(audio, urgency, asyncio.get_running_loop().create_future())
        self._waiting.append(ticket)
        self._start()
        return ticket

    def close(self) -> None:
        """Let the threads go, when what they do is done."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _start(self) -> None:
        while self._waiting and self._running < self._threads:
            ticket = min(self._waiting, key=lambda waiting: waiting.urgency)
            self._waiting.remove(ticket)
            if ticket.result.done():
                continue
            if self._running == 0:
                self._progress = monotonic()
            self._running += 1
            loop = ticket.result.get_loop()
            work = loop.run_in_executor(self._executor, self._recognise, ticket.audio)
            work.add_done_callback(partial(self._finish, ticket))

    def _finish(self, ticket: Ticket, done: asyncio.Future[Recognition]) -> None:
        self._running -= 1
        self._progress = monotonic()
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        if ticket.result.done():
            pass
        elif isinstance(error, asyncio.CancelledError):
            ticket.result.cancel()
        elif error is not None:
            ticket.result.set_exception(error)
        else:
            metrics.RECOGNITION_SECONDS.observe(done.result().took_ms / 1000)
            ticket.result.set_result(done.result())
        self._start()


def _step_back() -> None:
    """Let voice activity, which barge-in depends on, have the CPU before this thread."""
    if sys.platform == "linux":  # elsewhere niceness is the whole process's
        os.nice(5)
