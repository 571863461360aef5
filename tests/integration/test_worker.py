"""The worker loop and the gateway's side of it, over a real NATS server."""

import asyncio

import pytest

from parley import job as worker_job
from parley import subjects
from parley import worker as parley_worker
from parley.bus import Bus, NoResponders
from parley.config import ServiceConfig
from parley.frames import AudioFrame
from parley.messages import (
    Draining,
    End,
    Failed,
    Interrupt,
    JobAccepted,
    JobRequest,
    KeepAlive,
    Message,
    ReplyText,
    Retry,
    SegmentSpoken,
    Speak,
    SpeakEnd,
)
from parley.providers import ProviderError
from parley.subjects import Stage
from parley.worker import Worker
from parley_gateway import jobs, liveness
from parley_gateway.claims import claim
from parley_gateway.jobs import JobChannel, JobLost, NoCapacity
from support.nats import NatsServer
from support.working import SPEC, Handler, channel, forever, say_three, working


async def broadcast(bus: Bus, to: JobChannel, message: Message) -> None:
    await bus.publish(subjects.control(to.conversation_id), message)


async def test_a_job_is_accepted_run_and_done(bus: Bus) -> None:
    async with working(bus, Handler(say_three)), channel(bus) as agent:
        claimed = await claim(agent, 1, SPEC)
        texts = [item.text async for item in claimed.output() if isinstance(item, ReplyText)]
    assert texts == ["0", "1", "2"]


async def test_input_sent_right_after_the_acceptance_is_not_missed(bus: Bus) -> None:
    async def speak(job: worker_job.Job) -> None:
        position = 0
        while not isinstance(item := await job.receive(), SpeakEnd):
            assert isinstance(item, Speak)
            await job.send_audio(item.segment, position, b"\x01\x02" * len(item.text))
            await job.send(SegmentSpoken, segment=item.segment, duration_ms=1.0)

    async with working(bus, Handler(speak), Stage.TTS), channel(bus, Stage.TTS) as tts:
        claimed = await claim(tts, 1, SPEC)
        for segment in range(50):
            await claimed.send(Speak, segment=segment, text="x" * (segment + 1))
        await claimed.send(SpeakEnd)
        frames = [item async for item in claimed.output() if isinstance(item, AudioFrame)]
    assert [len(frame.pcm) // 2 for frame in frames] == list(range(1, 51))


async def test_full_means_no_responders_and_room_means_the_next_job(bus: Bus) -> None:
    handler = Handler(forever)
    async with working(bus, handler) as worker, channel(bus) as first, channel(bus) as second:
        await claim(first, 1, SPEC)
        await bus.flush()
        assert not worker.offering
        with pytest.raises(NoCapacity):
            await claim(second, 1, SPEC, patience=0.2)
        await broadcast(bus, first, End())
        claimed = await claim(second, 1, SPEC, patience=5)
        assert claimed.attempt == 2


async def test_nobody_there_is_known_at_once(bus: Bus) -> None:
    request = JobRequest(
        stage=Stage.TTS, conversation_id="c", turn=1, attempt=1, spec=SPEC.model_dump()
    )
    with pytest.raises(NoResponders):
        await bus.request(subjects.job(Stage.TTS), request, 5.0)


@pytest.mark.parametrize(("fence", "cancelled"), [(0, False), (1, True), (7, True)])
@pytest.mark.parametrize("message", [Interrupt, None])
async def test_an_interrupt_cancels_its_turn_and_older_ones(
    bus: Bus, message: type[Interrupt] | None, fence: int, cancelled: bool
) -> None:
    handler = Handler(forever)
    async with working(bus, handler) as worker, channel(bus) as agent:
        await claim(agent, 1, SPEC)
        await handler.began.wait()
        sent: Message = Interrupt(turn=fence) if message else KeepAlive(fence=fence)
        await broadcast(bus, agent, sent)
        await bus.flush()
        if cancelled:
            await asyncio.wait_for(handler.cancelled.wait(), 5)
        else:
            await bus.flush()
            assert worker.running == 1


async def test_hearing_goes_on_through_interrupts_until_the_end(bus: Bus) -> None:
    handler = Handler(forever)
    async with working(bus, handler, Stage.STT) as worker, channel(bus, Stage.STT) as stt:
        await claim(stt, 0, SPEC)
        await broadcast(bus, stt, Interrupt(turn=9))
        await bus.flush()
        assert worker.running == 1
        await broadcast(bus, stt, End())
        await asyncio.wait_for(handler.cancelled.wait(), 5)


async def test_a_job_that_is_not_wanted_any_more_is_cancelled_but_not_its_successor(
    bus: Bus,
) -> None:
    handler = Handler(forever)
    async with working(bus, handler, capacity=2) as worker, channel(bus) as agent:
        first = await claim(agent, 1, SPEC)
        await handler.began.wait()
        await claim(agent, 2, SPEC)
        await first.cancel()
        await asyncio.wait_for(handler.cancelled.wait(), 5)
        await bus.flush()
        assert worker.running == 1


async def test_a_job_that_was_given_to_another_is_let_go(bus: Bus) -> None:
    handler = Handler(forever)
    async with working(bus, handler, capacity=2) as worker, channel(bus) as agent:
        await claim(agent, 1, SPEC)
        await handler.began.wait()
        second = await claim(agent, 1, SPEC)
        await asyncio.wait_for(handler.cancelled.wait(), 5)
        await bus.flush()
        assert worker.running == 1
        assert second.attempt == 2


async def test_a_refusal_tells_why(bus: Bus) -> None:
    refusal = ProviderError("no such voice", Retry.NEVER)
    async with working(bus, Handler(forever, refusal)), channel(bus) as agent:
        with pytest.raises(JobLost, match="no such voice"):
            await claim(agent, 1, SPEC)


async def test_failures_are_told_and_crashes_are_not_blamed_on_the_caller(bus: Bus) -> None:
    async def fail(job: worker_job.Job) -> None:
        raise ProviderError("quota used up", Retry.LATER)

    async def crash(job: worker_job.Job) -> None:
        raise RuntimeError("secret")

    for run, expected in ((fail, "quota used up"), (crash, "internal error in the worker")):
        async with working(bus, Handler(run)), channel(bus) as agent:
            claimed = await claim(agent, 1, SPEC)
            with pytest.raises(JobLost, match=expected):
                _ = [item async for item in claimed.output()]


async def test_a_silent_job_lives_by_its_heartbeat(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LOST_SECONDS", 1.0)

    async def think(job: worker_job.Job) -> None:
        await asyncio.sleep(1.5)

    async with working(bus, Handler(think)), channel(bus) as agent:
        claimed = await claim(agent, 1, SPEC)
        assert [item async for item in claimed.output()] == []


async def test_a_job_without_heartbeat_is_lost(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "LOST_SECONDS", 0.2)
    monkeypatch.setattr(worker_job, "HEARTBEAT_SECONDS", 60)
    async with working(bus, Handler(forever)), channel(bus) as agent:
        claimed = await claim(agent, 1, SPEC)
        with pytest.raises(JobLost, match="has not been heard of"):
            _ = [item async for item in claimed.output()]


async def test_a_job_whose_gateway_is_gone_gives_up(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_job, "ABANDONED_SECONDS", 0.1)
    handler = Handler(forever)
    async with working(bus, handler), channel(bus) as agent:
        await claim(agent, 1, SPEC)
        await asyncio.wait_for(handler.cancelled.wait(), 5)


async def test_a_worker_that_is_gone_is_noticed_without_its_heartbeat(
    bus: Bus, shared_nats: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LOST_SECONDS", 60)
    monkeypatch.setattr(liveness, "GRACE_SECONDS", 0)
    async with Bus(ServiceConfig(nats_url=shared_nats.url), "worker") as its_own:
        worker = Worker(its_own, Stage.AGENT, Handler(forever), capacity=1)
        running = asyncio.create_task(worker.run())
        async with channel(bus) as agent:
            claimed = await claim(agent, 1, SPEC)
            await its_own._nats.close()
            with pytest.raises(JobLost, match="its worker is gone"):
                _ = [item async for item in claimed.output()]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_frozen_worker_swallows_a_claim_and_another_gets_it(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parley_worker, "BEGIN_SECONDS", 0.3)
    seen = asyncio.Event()

    async def swallow(msg: object) -> None:
        seen.set()

    async with working(bus, Handler(say_three)) as worker, channel(bus) as agent:
        # It stands first in line for as long as the claim is not meant for one worker.
        frozen = [
            await bus.subscribe(subjects.job(Stage.AGENT), swallow, queue=Stage.AGENT)
            for _ in range(20)
        ]
        await worker._announce("ready")
        await bus.flush()
        claimed = await claim(agent, 1, SPEC)
        texts = [item.text async for item in claimed.output() if isinstance(item, ReplyText)]
        for subscription in frozen:
            await subscription.unsubscribe()
    assert texts == ["0", "1", "2"]
    assert claimed.attempt == (2 if seen.is_set() else 1)


async def test_a_job_that_nobody_waits_for_does_not_begin(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parley_worker, "BEGIN_SECONDS", 0.1)
    began = asyncio.Event()

    async def begin(job: worker_job.Job) -> None:
        began.set()

    async with working(bus, Handler(begin)) as worker, channel(bus) as agent:
        request = agent.new_job(1, SPEC).request()
        assert isinstance(await bus.request(subjects.job(Stage.AGENT), request, 5), JobAccepted)
        async with asyncio.timeout(10):
            while worker.running:
                await asyncio.sleep(0.01)
    assert not began.is_set()


async def test_what_never_arrived_means_that_the_job_is_lost(bus: Bus) -> None:
    async def skip(job: worker_job.Job) -> None:
        await job.send(ReplyText, text="one")
        job._seq += 1
        await job.send(ReplyText, text="three")

    async with working(bus, Handler(skip)), channel(bus) as agent:
        claimed = await claim(agent, 1, SPEC)
        texts = []
        with pytest.raises(JobLost, match="never arrived"):
            async for item in claimed.output():
                assert isinstance(item, ReplyText)
                texts.append(item.text)
    assert texts == ["one"]

    async with working(bus, Handler(forever), Stage.TTS), channel(bus, Stage.TTS) as tts:
        claimed = await claim(tts, 1, SPEC)
        claimed._seq = 3
        await claimed.send(Speak, segment=0, text="too much")
        with pytest.raises(JobLost, match="input never arrived"):
            _ = [item async for item in claimed.output()]


async def test_a_draining_worker_asks_to_be_relieved(bus: Bus) -> None:
    async with working(bus, Handler(forever), drain=30) as worker, channel(bus) as agent:
        claimed = await claim(agent, 1, SPEC)
        worker.stop()
        output = claimed.output()
        assert isinstance(await anext(output), Draining)
        await output.aclose()


async def test_draining_takes_no_job_finishes_those_it_has_and_hands_over_at_the_deadline(
    bus: Bus,
) -> None:
    finish = asyncio.Event()

    async def until_told(job: worker_job.Job) -> None:
        await finish.wait()

    worker = Worker(bus, Stage.AGENT, Handler(until_told), capacity=2, drain_seconds=5)
    async with asyncio.TaskGroup() as tasks, channel(bus) as agent, channel(bus) as late:
        running = tasks.create_task(worker.run())
        claimed = await claim(agent, 1, SPEC)
        worker.stop()
        while worker.offering:
            await asyncio.sleep(0)
        await bus.flush()
        with pytest.raises(NoCapacity):
            await claim(late, 1, SPEC, patience=0.1)
        finish.set()
        rest = [item async for item in claimed.output()]
        assert [type(item) for item in rest] == [Draining]
        await running

    async with working(bus, Handler(forever)) as worker, channel(bus) as agent:
        claimed = await claim(agent, 1, SPEC)
        worker.stop()
        with pytest.raises(JobLost, match="stopped"):
            _ = [item async for item in claimed.output()]


async def test_nothing_is_left_over(bus: Bus) -> None:
    before_tasks, before = len(asyncio.all_tasks()), bus.subscriptions
    async with working(bus, Handler(say_three)), channel(bus) as agent:
        for turn in range(1, 51):
            claimed = await claim(agent, turn, SPEC)
            _ = [item async for item in claimed.output()]
    assert len(asyncio.all_tasks()) <= before_tasks + 1
    assert bus.subscriptions <= before + 1


async def test_messages_of_an_old_attempt_and_garbage_are_dropped(bus: Bus) -> None:
    async with working(bus, Handler(say_three)), channel(bus) as agent:
        output = subjects.output_of(Stage.AGENT, agent.conversation_id)
        agent.new_job(4, SPEC).close()
        claimed = await claim(agent, 4, SPEC)
        assert claimed.attempt == 2
        await bus.publish(output, ReplyText(turn=4, attempt=1, seq=0, text="old"))
        await bus.publish(output, Failed(turn=3, attempt=2, seq=0, reason="old"))
        await bus.publish_media(output, b"\x01short")
        await bus.publish_media(output, b"\xff\xff")
        texts = [item.text async for item in claimed.output() if isinstance(item, ReplyText)]
    assert texts == ["0", "1", "2"]
