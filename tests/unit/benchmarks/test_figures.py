"""What the scores of a run amount to, and the page that tells it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.turns.cases import Case, Kind
from benchmarks.turns.figures import figures
from benchmarks.turns.observed import Observation, Reply, lost
from benchmarks.turns.page import GOALS, page, wrong
from benchmarks.turns.playout import Frame, Span
from benchmarks.turns.rounds import combined, pooled
from benchmarks.turns.running import EarlyReplies, Run
from parley_cli.events import Event


def case(kind: Kind, name: str = "a case") -> Case:
    return Case(kind, name, np.zeros(16_000, np.int16), human=True)


def interruption(yield_ms: float, *, timed: bool = True, claimed: str = "the green") -> Observation:
    at = 100 + yield_ms / 1000
    reply = Reply("the green bus stops", claimed, np.zeros(0, np.int16), heard="the green")
    return Observation(
        replace(case(Kind.INTERRUPTION), timed=timed),
        100.0,
        101.0,
        103.5,
        turn=1,
        frames=[Frame(99.0, 1, 0.02), Frame(at, 1, 0.02)],
        played=[Span(1, 99.0, at)],
        events=[Event(at, {"type": "interrupted", "turn": 1})],
        reply=reply,
    )


def backchannel(kept: bool) -> Observation:
    stop = [] if kept else [Event(100.4, {"type": "interrupted", "turn": 1})]
    played = [Span(1, 99.0, 104.0)]
    return Observation(
        case(Kind.BACKCHANNEL, "mhm"), 100.0, 100.4, 103.0, turn=1, played=played, events=stop
    )


def answered(kind: Kind, ms: float) -> Observation:
    at = 101 + ms / 1000
    return Observation(
        case(kind), 100, 101, 105, frames=[Frame(at, 1, 0.02)], played=[Span(1, at + 0.04, at + 1)]
    )


@pytest.fixture
def run() -> Run:
    seen = [
        *(interruption(ms) for ms in (100, 200, 300)),
        interruption(3000),
        interruption(200, timed=False, claimed="the green bus stops"),
        *(backchannel(kept) for kept in (True, True, True, False)),
        *(answered(Kind.CLEAR, ms) for ms in (460, 660)),
        answered(Kind.PAUSE, -500),
        answered(Kind.PAUSE, 500),
        lost(case(Kind.NOISE), "no reply"),
    ]
    return Run("someone", seen, [], EarlyReplies(used=4, dropped=1, gained_ms=1000.0))


def test_the_figures_are_of_the_scores(run: Run) -> None:
    found = figures(run)
    expected: dict[str, Any] = {
        "yield_p50_ms": 200,
        "yield_p95_ms": 300,
        "yielded_share": 0.8,
        "backchannel_selectivity": 0.75,
        "noise_selectivity": None,
        "premature_share": 0.5,
        "response_p50_ms": 500,
        "response_p95_ms": 700,
        "heard_words_right_share_with_word_times": 1.0,
        "heard_words_right_share_without": 0.0,
        "early_replies": {"used": 4, "dropped": 1, "gained_mean_ms": 250.0},
    }
    assert {name: found[name] for name in expected} == expected
    assert found["cases"]["interruption"]["scored"] == 5
    assert found["cases"]["noise"] == {"scored": 0, "human": 0, "synthesised": 0, "lost": 1}


def test_every_goal_is_a_figure(run: Run) -> None:
    elsewhere = {"vad_core_share_per_call"}
    assert GOALS.keys() - elsewhere <= figures(run).keys()


def test_what_went_wrong_is_told_with_the_reason(run: Run) -> None:
    told = "\n".join(wrong(run))
    assert "backchannel: mhm: cut off after 400 ms" in told
    assert "noise: a case: NOT MADE: no reply" in told
    assert "yielded only after 3000 ms" in told
    assert "+2 words" in told


def test_the_page_has_all_of_it(run: Run) -> None:
    found = combined([figures(run), figures(better(run))])
    result = {**found, "per_transcriber": {"someone": found}, "taken": {"seed": 1}}
    text = page(result, [[run, better(run)]])
    assert "| yielded_share | 0.9 | 0.8, 1 | >= 0.98 |" in text
    assert all(one in text for one in wrong(run))


def better(run: Run) -> Run:
    """Another round, in which no interruption took too long."""
    seen = [one for one in run.observations if one.case.kind is not Kind.INTERRUPTION]
    return replace(run, observations=[*seen, interruption(100), interruption(200)])


def test_several_rounds_have_a_median_and_a_spread(run: Run) -> None:
    found = combined([figures(one) for one in (run, better(run), run)])
    assert found["yielded_share"] == 0.8
    assert found["spread"]["yielded_share"] == [0.8, 1.0, 0.8]
    assert found["noise_selectivity"] is None
    assert found["cases"]["interruption"]["scored"] == 5
    assert "cases" not in found["spread"]


def test_rounds_are_drawn_as_one(run: Run) -> None:
    assert len(pooled([run, better(run)]).observations) == 14 + 11
