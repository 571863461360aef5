"""What runs amount to."""

import pytest

from benchmarks.chaos import figures
from benchmarks.chaos.books import Books, Difference
from benchmarks.chaos.faults import Injury
from benchmarks.chaos.lane import Outcome
from benchmarks.chaos.plan import Action, Phase, Plan
from benchmarks.chaos.take import Take
from parley_cli.reconnect import Reconnect


def outcome(action: Action, gap_ms: float, *, busy: bool = True, lost: str = "") -> Outcome:
    plan = Plan(1, "workers", 0, "tts", action, Phase.BOT_SPEAKS, 1.0)
    injury = Injury(plan, at=10.0, busy=busy)
    return Outcome(plan, injury, Take(False, 16_000, lost=lost), gap_ms=gap_ms)


@pytest.mark.parametrize(
    ("values", "percent", "result"),
    [([], 50, 0), ([7], 95, 7), ([3, 1, 2], 50, 2), (range(1, 101), 95, 95), ([1, 2], 95, 2)],
)
def test_percentiles_are_values_that_were_met(
    values: list[float], percent: float, result: float
) -> None:
    assert figures.percentile(values, percent) == result


def test_gaps_are_of_busy_workers_by_what_was_done_to_them() -> None:
    runs = [
        outcome(Action.KILL, 100),
        outcome(Action.KILL, 300),
        outcome(Action.KILL, 900, busy=False),
        outcome(Action.FREEZE, 2000),
    ]
    found = figures.of_workers(runs)
    assert (found["kills"], found["kills_of_busy_workers"]) == (4, 3)
    assert found["gap_killed_p95_ms"] == 300
    assert found["gap_frozen_p95_ms"] == 2000


def test_what_is_lost_is_counted() -> None:
    runs = [outcome(Action.KILL, 0, lost="gone"), outcome(Action.KILL, 0)]
    runs[1].books = Books(user=Difference(lost=2), reply=Difference(doubled=1, changed=3))
    found = figures.of_words(runs)
    assert found == {
        "calls_lost": 1,
        "words_lost": 2,
        "words_doubled": 1,
        "words_changed": 3,
        "books_not_balanced": 1,
    }


def test_a_gateways_death_lasts_until_the_talk_goes_on() -> None:
    quick, slow = outcome(Action.KILL, 100), outcome(Action.KILL, 1500)
    for run in (quick, slow):
        run.take.reconnects = [Reconnect(lost_at=10.1, ready_at=10.6)]
    assert figures.held_up_ms(quick) == pytest.approx(600)
    assert figures.held_up_ms(slow) == 1500
