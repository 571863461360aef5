"""What a gateway makes of workers that are not what they say."""

import asyncio
import math
from typing import Any

import msgpack
import pytest
from nats.aio.msg import Msg

from parley import messages, subjects
from parley.bus import Bus
from parley.messages import (
    BadMessage,
    EndOfTurn,
    JobAccepted,
    JobRequest,
    ReplySpec,
    Spec,
    Transcription,
    WorkerStatus,
    encode,
)
from parley.operating import Drain
from parley.subjects import Stage
from parley.worker import JobRun, Worker
from parley_gateway.claims import claim
from parley_gateway.jobs import JobLost
from parley_gateway.workers import Workers
from support.working import Handler, channel, forever, working


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


# --- Numbers


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 1e307, -1e307])
def test_a_place_that_is_none_in_the_calls_audio_is_not_believed(number: float) -> None:
    # The gateway counts samples up to there: the call would end with a fault of its own.
    true = EndOfTurn(turn=0, attempt=1, seq=0, position_ms=1.0)
    with pytest.raises(BadMessage):
        messages.decode(encode(true.model_copy(update={"position_ms": number})))


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_duration_that_is_no_number_is_not_believed(number: float) -> None:
    # A metric to which it is added would be no number any more, for good.
    true = Transcription(turn=0, attempt=1, seq=0, message="", is_final=True, position_ms=1.0)
    with pytest.raises(BadMessage):
        messages.decode(encode(true.model_copy(update={"took_ms": number})))


BOMBS: dict[str, bytes] = {
    "lists in lists": b"\x91" * 1_000_000,
    "maps in maps": b"\x81\x01" * 500_000,
    "a list of four billion": b"\xdd\xff\xff\xff\xff",
    "a text of 4 GB": b"\xdb\xff\xff\xff\xffabc",
    "a million empty lists": b"\xdd\x00\x0f\x42\x40" + b"\x90" * 1_000_000,
    "a deep value in a good message": msgpack.packb(
        {"v": 1, "type": "done", "turn": 0, "attempt": 1, "seq": 0}
    )[:-1]
    + b"\x91" * 100_000,
    "two messages": encode(Drain()) * 2,
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_what_is_no_message_is_dropped(bomb: str) -> None:
    with pytest.raises(BadMessage):
        messages.decode(BOMBS[bomb])


# --- What was said


class OfAnotherVersion(Spec):
    """A part of the history has another name."""

    history: list[dict[str, Any]] = [{"role": "user", "words": "my number is 4711"}]


class Strict(Handler):
    """Reads the spec, as the agent does."""

    def open(self, request: JobRequest) -> JobRun:
        ReplySpec.model_validate(request.spec)
        return super().open(request)


async def test_a_refusal_does_not_tell_what_was_said(bus: Bus) -> None:
    # It goes into logs, and to the caller.
    async with working(bus, Strict(forever)), channel(bus) as agent:
        with pytest.raises(JobLost) as lost:
            await claim(agent, 1, OfAnotherVersion(provider="test"))
    assert str(lost.value) == "bad request: history.0.content: Field required"
