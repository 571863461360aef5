"""Runs are drawn from their seed, and no combination is forgotten."""

from collections import Counter

from benchmarks.chaos.plan import ASLEEP_SECONDS, BUSY_PHASES, Action, draw, window

STAGES = ("stt", "agent", "tts")
MOSTLY = (Action.KILL, Action.KILL, Action.KILL, Action.FREEZE)


def test_the_same_seed_gives_the_same_run_whatever_ran_before() -> None:
    assert draw(7, "workers", 31, STAGES, MOSTLY) == draw(7, "workers", 31, STAGES, MOSTLY)
    assert draw(8, "workers", 31, STAGES, MOSTLY) != draw(7, "workers", 31, STAGES, MOSTLY)


def test_two_hundred_runs_hold_every_action_in_every_phase_of_every_stage() -> None:
    plans = [draw(1, "workers", number, STAGES, MOSTLY) for number in range(200)]
    met = Counter((one.target, one.action, one.phase) for one in plans)
    assert set(met) == {
        (stage, action, phase)
        for stage in STAGES
        for action in (Action.KILL, Action.FREEZE)
        for phase in BUSY_PHASES[stage]
    }
    frozen = sum(one.action is Action.FREEZE for one in plans)
    assert 40 <= frozen <= 60


def test_moments_are_within_their_phase_and_only_the_frozen_sleep() -> None:
    for number in range(100):
        plan = draw(3, "workers", number, STAGES, MOSTLY)
        low, high = window(plan.target, plan.phase)
        assert low <= plan.offset <= high
        if plan.action is Action.FREEZE:
            assert ASLEEP_SECONDS[0] <= plan.asleep <= ASLEEP_SECONDS[1]
        else:
            assert plan.asleep == 0


def test_moments_differ_from_run_to_run() -> None:
    offsets = {draw(1, "nats", number, ("nats",), (Action.RESTART,)).offset for number in range(20)}
    assert len(offsets) == 20
