"""Callers who all talk in the same way: a question, the whole answer, a pause, again.

The question is a recorded sentence of 4 s. With the answer of the stand-ins (7.7 s), and the time
until it comes, a caller makes some four turns a minute: a quarter of the time the caller speaks,
half of it the bot. They are lighter than `parley_cli.call`: there is one processor for them all.
"""

import asyncio
import json
import random
import time
from collections.abc import Sequence

from websockets.asyncio.client import ClientConnection, connect

from support import recordings

FRAME_SECONDS = 0.02
REPORT_FRAMES = 10
"""How far playback is, is told so rarely, as the page does."""
JITTER_SECONDS = 0.04
"""What a device holds back before it plays."""
PAUSE_SECONDS = (1.0, 2.0)
"""How long a caller is silent after an answer: drawn anew each time."""
BEGIN_SECONDS = 5.0
"""The first question comes within so long, so that not all speak at once."""
ANSWER_SECONDS = 60.0
"""How long an answer may take. A call that waits longer ends the measurement."""
SPEECH = "clone-test.wav"


class Crowd:
    """Callers of a gateway, in a task group: what one of them raises, the group raises."""

    def __init__(self, url: str, sample_rate: int, tasks: asyncio.TaskGroup) -> None:
        self.turns = 0
        """Answers that were heard to their end."""
        self.waits: list[float] = []
        """How long (s) after each question the answer began."""
        self.pauses = random.Random(7)
        self._url = f"{url}?sample_rate={sample_rate}"
        self._size = int(sample_rate * FRAME_SECONDS) * 2
        self._question = _frames(recordings.recording(SPEECH, sample_rate), self._size)
        self._tasks = tasks
        self._calls: list[asyncio.Task[None]] = []

    async def grow(self, calls: int) -> None:
        """From now on there are so many; returns when all of them have heard an answer."""
        answered = [asyncio.Event() for _ in range(calls - len(self._calls))]
        self._calls += [self._tasks.create_task(self._call(one)) for one in answered]
        async with asyncio.timeout(BEGIN_SECONDS + ANSWER_SECONDS):
            for one in answered:
                await one.wait()

    async def hang_up(self) -> None:
        """All at once."""
        for call in self._calls:
            call.cancel()
        if self._calls:
            await asyncio.wait(self._calls)
        self._calls.clear()

    async def _call(self, answered: asyncio.Event) -> None:
        async with connect(self._url, compression=None, proxy=None, close_timeout=1) as socket:
            await socket.recv()
            await _Caller(self, socket, self._question, bytes(self._size)).run(answered)


class _Caller:
    """One call: a microphone, an ear, and somebody who talks."""

    def __init__(
        self, crowd: Crowd, socket: ClientConnection, question: Sequence[bytes], silence: bytes
    ) -> None:
        self._crowd = crowd
        self._socket = socket
        self._question = question
        self._silence = silence
        self._said = len(question)  # frames of the question
        self._asked_at = 0.0
        self._turn = 0
        self._begun: float | None = None  # when the first sound of the turn was played
        self._received = 0.0  # seconds of it
        self._spoken = asyncio.Event()

    async def run(self, answered: asyncio.Event) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._microphone())
            tasks.create_task(self._ear())
            await asyncio.sleep(self._crowd.pauses.uniform(0, BEGIN_SECONDS))
            while True:
                self._spoken.clear()
                self._said = 0
                async with asyncio.timeout(ANSWER_SECONDS):
                    await self._spoken.wait()
                answered.set()
                self._crowd.turns += 1
                await asyncio.sleep(self._crowd.pauses.uniform(*PAUSE_SECONDS))

    async def _microphone(self) -> None:
        due, number = time.monotonic(), 0
        while True:
            frame = self._silence
            if self._said < len(self._question):
                frame = self._question[self._said]
                self._said += 1
                if self._said == len(self._question):
                    self._asked_at = time.monotonic()
            await self._socket.send(frame)
            number += 1
            if number % REPORT_FRAMES == 0 and self._begun is not None:
                await self._report(self._begun)
            due += FRAME_SECONDS
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _report(self, begun: float) -> None:
        played = min(max(time.monotonic() - begun, 0.0), self._received)
        message = {"type": "playback", "turn": self._turn, "ms": round(1000 * played, 1)}
        await self._socket.send(json.dumps(message))

    async def _ear(self) -> None:
        async for message in self._socket:
            if isinstance(message, bytes):
                self._received += FRAME_SECONDS
                if self._begun is None:
                    self._begun = time.monotonic() + JITTER_SECONDS
            else:
                self._hear(json.loads(message))
        raise RuntimeError("a call has ended")

    def _hear(self, event: dict[str, object]) -> None:
        match event:
            case {"type": "speaking", "turn": int(turn)}:
                self._turn, self._begun, self._received = turn, None, 0.0
                if self._said == len(self._question):
                    self._crowd.waits.append(time.monotonic() - self._asked_at)
            case {"type": "clear"}:
                self._begun = None
            case {"type": "spoken", "cut_off": False, "text": str(text)} if text:
                self._begun = None
                # What was answered in mid-question is not the answer: people pause in sentences.
                if self._said == len(self._question):
                    self._spoken.set()
            case {"type": "error"}:
                raise RuntimeError(f"a call went wrong: {event}")


def _frames(pcm: bytes, size: int) -> list[bytes]:
    return [pcm[at : at + size].ljust(size, b"\0") for at in range(0, len(pcm), size)]
