"""Faults hit a call, and the caller hardly notices: the short version of `make chaos`.

Several faults hit each call here, at different phases, so that all of them fit into a minute.
The bounds are wide, for busy machines; `make chaos` gives the figures.
"""

import asyncio

import pytest

from benchmarks.chaos import books, ear, faults, script
from benchmarks.chaos.books import Quiet
from benchmarks.chaos.faults import Injury, Site
from benchmarks.chaos.lane import Lane
from benchmarks.chaos.plan import Action, Phase, Plan
from benchmarks.chaos.take import Take
from support.words import normal

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

QUIET = Quiet([normal(script.HEARD).split()], script.REPLY, waiting_ms=4000)
GAP_MS = 5000


def fault(target: str, action: Action, phase: Phase, offset: float, asleep: float = 0.0) -> Plan:
    return Plan(0, "short", 0, target, action, phase, offset, asleep)


async def call_with(lane: Lane, *plans: Plan, barge_in: bool = False) -> tuple[Take, list[Injury]]:
    """One call that all these faults hit, each in its phase."""
    injuries = [Injury(plan) for plan in plans]

    async def harm(talk: script.Talk) -> None:
        async with asyncio.TaskGroup() as tasks:
            for plan, injury in zip(plans, injuries, strict=True):
                tasks.create_task(faults.strike(Site(lane.engine), plan, injury, talk))

    return await lane.call(barge_in=barge_in, harm=harm), injuries


def check(take: Take) -> None:
    assert not take.lost, take.events
    found = books.audit(take, QUIET)
    assert found.balanced, (found, take.events)
    assert ear.waiting_ms(take) - QUIET.waiting_ms < GAP_MS


async def test_a_worker_of_each_stage_is_killed_in_one_call(mended: Lane) -> None:
    take, injuries = await call_with(
        mended,
        fault("stt", Action.KILL, Phase.USER_SPEAKS, 1.7),
        fault("agent", Action.KILL, Phase.MODEL_WRITES, 0.2),
        fault("tts", Action.KILL, Phase.BOT_SPEAKS, 0.3),
    )
    check(take)
    assert all(injury.busy for injury in injuries), injuries


async def test_a_gateway_is_killed_and_nats_restarted_in_one_call(lane: Lane) -> None:
    take, _ = await call_with(
        lane,
        fault("gateway", Action.KILL, Phase.BOT_SPEAKS, 1.5),
        fault("nats", Action.RESTART, Phase.BARGE_IN, 0.5),
    )
    check(take)
    assert len(take.reconnects) == 1
    assert take.of("reply", restart=True), "the client was not told what is still to be spoken"


async def test_a_frozen_voice_and_a_transcriber_killed_in_a_barge_in(mended: Lane) -> None:
    take, injuries = await call_with(
        mended,
        fault("tts", Action.FREEZE, Phase.MODEL_WRITES, 0.2, asleep=4.0),
        fault("stt", Action.KILL, Phase.BARGE_IN, 0.3),
        barge_in=True,
    )
    check(take)
    assert all(injury.busy for injury in injuries), injuries


async def test_after_all_that_nothing_is_left_over(lane: Lane) -> None:
    assert not await lane.left_over()
