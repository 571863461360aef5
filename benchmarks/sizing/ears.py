"""A stage of hearing that costs next to nothing, in a process of its own.

It tells speech from silence, which is digital here, says the same words after each, and nothing
more. With it the gateway can be measured with more calls than real hearing leaves room for.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import uvloop

from benchmarks.chaos.script import FIRST_QUESTION
from parley import logs, providers
from parley.audio import duration_ms
from parley.bus import Bus
from parley.config import ServiceConfig
from parley.frames import AudioFrame
from parley.job import Job
from parley.messages import (
    EndOfTurn,
    HearingSpec,
    JobRequest,
    SpeechEnded,
    SpeechProgress,
    SpeechStarted,
    Transcription,
)
from parley.subjects import Stage
from parley.worker import JobRun, Worker

CAPACITY = 200
PROGRESS_MS = 96.0
TURN_END_MS = 600.0
"""Silence that ends a turn: longer than the pause within the question."""
PROVIDER = "deepgram"
"""What jobs ask for."""
READY = "ready"


@contextmanager
def hearing(settings: Mapping[str, str]) -> Iterator[None]:
    """Have the process run while it lasts; `settings` let it log in to NATS."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.sizing.ears"],
        env={**os.environ, **settings},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        while process.stdout.readline().strip() != READY:
            if process.poll() is not None:
                raise RuntimeError("the ears have died")
        try:
            yield
        finally:
            process.stdin.close()


class _Ears:
    def open(self, request: JobRequest) -> JobRun:
        rate = HearingSpec.model_validate(request.spec).sample_rate

        async def run(job: Job) -> None:
            await _hear(job, rate)

        return run


async def _hear(job: Job, rate: int) -> None:
    now_ms = started_ms = voiced_ms = told_ms = 0.0
    in_turn = False
    while True:
        if not isinstance(frame := await job.receive(), AudioFrame):
            continue
        now_ms += duration_ms(len(frame.pcm), rate)
        if frame.pcm.strip(b"\0"):
            voiced_ms = now_ms
            if not in_turn:
                in_turn, started_ms, told_ms = True, now_ms, now_ms
                await job.send(SpeechStarted, position_ms=now_ms)
            elif now_ms - told_ms >= PROGRESS_MS:
                told_ms = now_ms
                speech_ms = now_ms - started_ms
                await job.send(SpeechProgress, speech_ms=speech_ms, position_ms=now_ms)
        elif in_turn and now_ms - voiced_ms >= TURN_END_MS:
            in_turn = False
            await job.send(SpeechEnded, position_ms=voiced_ms)
            words = {"message": FIRST_QUESTION, "is_final": True}
            await job.send(Transcription, position_ms=now_ms, **words)
            await job.send(EndOfTurn, position_ms=now_ms)


async def _serve() -> None:
    # A worker that imports a provider while it is asked for jobs is late with its answers.
    providers.load(Stage.STT, PROVIDER)
    async with Bus(ServiceConfig(), "parley-stt") as bus, asyncio.TaskGroup() as tasks:
        worker = Worker(bus, Stage.STT, _Ears(), capacity=CAPACITY, drain_seconds=0.0)
        running = tasks.create_task(worker.run())
        print(READY, flush=True)
        await asyncio.to_thread(sys.stdin.read)
        worker.stop()
        await running


if __name__ == "__main__":
    logs.configure("ears", "json", "error")
    uvloop.run(_serve())
