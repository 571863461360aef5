"""What a gateway makes of workers that are not what they say."""

import asyncio

import pytest
from nats.aio.msg import Msg

from parley import messages, subjects
from parley.bus import Bus
from parley.messages import BadMessage, JobAccepted, JobRequest, WorkerStatus, encode
from parley.operating import Drain
from parley.subjects import Stage
from parley.worker import JobRun, Worker
from parley_gateway.workers import Workers


class Idle:
    """Does nothing."""

    def open(self, request: JobRequest) -> JobRun:
        raise NotImplementedError


def status(worker_id: str, stage: Stage) -> WorkerStatus:
    return WorkerStatus(worker_id=worker_id, stage=stage, capacity=9, running=0, state="ready")


async def test_no_stage_can_speak_for_another(bus: Bus) -> None:
    workers = Workers(bus)
    await workers.open()
    true = status("stt-1", Stage.STT)
    forged = [
        (subjects.worker(Stage.TTS, "stt-2"), status("stt-2", Stage.STT)),
        (subjects.worker(Stage.TTS, "tts-2"), status("stt-3", Stage.STT)),
        (subjects.worker(Stage.TTS, "tts-3"), status("tts-4", Stage.TTS)),
        (subjects.worker(Stage.TTS, "stt-1"), status("stt-1", Stage.TTS)),
    ]
    await bus.publish(subjects.worker(Stage.STT, "stt-1"), true)
    for subject, message in forged:
        await bus.publish(subject, message)
    await bus.publish(subjects.worker(Stage.STT, "stt-9"), status("stt-9", Stage.STT))
    await _until_seen(bus, workers, "stt-9")
    assert workers.candidates(Stage.STT) == ["stt-9", "stt-1"]
    assert workers.candidates(Stage.TTS) == []
    workers.suspect(Stage.TTS, "stt-1")  # as a voice did that took a job under that name
    assert workers.candidates(Stage.STT) == ["stt-9", "stt-1"]
    await workers.close()


async def test_nobody_is_answered_but_in_an_inbox(bus: Bus) -> None:
    # An operator may order a worker to drain, and could name any subject for its answer.
    worker = Worker(bus, Stage.TTS, Idle(), capacity=1, on_drain=lambda: None)
    running = asyncio.create_task(worker.run())
    heard: list[str] = []

    async def on_message(msg: Msg) -> None:
        heard.append(msg.subject)

    while not worker.offering:
        await asyncio.sleep(0)
    own = bus.inbox()
    closed = ["$KV.parley_calls.x", "parley.v1.conv.x.heard", "$JS.API.STREAM.PURGE.X"]
    for subject in (*closed, own):
        await bus.subscribe(subject, on_message)
        await bus.flush()
        await bus._nats.publish(subjects.operate(worker.id), encode(Drain()), reply=subject)
    async with asyncio.timeout(20):
        while not heard:
            await bus.flush()
    worker.stop()
    await running
    assert heard == [own]


async def _until_seen(bus: Bus, workers: Workers, worker_id: str) -> None:
    while worker_id not in {one.worker_id for one in workers.present()}:
        await bus.flush()


@pytest.mark.parametrize("worker_id", ["", "a.b", "*", ">", "stt 1", "stt-1\n", "x" * 65])
def test_a_name_that_reaches_elsewhere_is_no_name(worker_id: str) -> None:
    for message in (
        JobAccepted.model_construct(worker_id=worker_id),
        status("stt-1", Stage.STT).model_copy(update={"worker_id": worker_id}),
    ):
        with pytest.raises(BadMessage):
            messages.decode(messages.encode(message))
