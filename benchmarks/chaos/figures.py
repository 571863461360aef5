"""What the runs amount to."""

from collections.abc import Sequence

from benchmarks.chaos.lane import Outcome
from benchmarks.chaos.plan import Action
from benchmarks.report import Figures


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent of all do not exceed; 0 where there are none."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    rank = -(-len(ordered) * percent // 100)
    return round(ordered[max(0, int(rank) - 1)], 1)


def of_words(outcomes: Sequence[Outcome]) -> Figures:
    """Calls and words that were lost, over all runs."""
    totals = [one.books.user + one.books.reply for one in outcomes]
    return {
        "calls_lost": sum(one.lost for one in outcomes),
        "words_lost": sum(one.lost for one in totals),
        "words_doubled": sum(one.doubled for one in totals),
        "words_changed": sum(one.changed for one in totals),
        "books_not_balanced": sum(not one.well and not one.lost for one in outcomes),
    }


def of_workers(outcomes: Sequence[Outcome]) -> Figures:
    """The gaps that killed and frozen workers left. Only hits on a busy worker count."""
    figures: Figures = {
        "kills": len(outcomes),
        "kills_of_busy_workers": sum(one.injury.busy for one in outcomes),
    }
    killed, frozen = _gaps(outcomes, Action.KILL), _gaps(outcomes, Action.FREEZE)
    figures |= {
        "gap_killed_p50_ms": percentile(killed, 50),
        "gap_killed_p95_ms": percentile(killed, 95),
        "gap_frozen_p50_ms": percentile(frozen, 50),
        "gap_frozen_p95_ms": percentile(frozen, 95),
    }
    for stage in ("stt", "agent", "tts"):
        gaps = _gaps([one for one in outcomes if one.plan.target == stage], Action.KILL)
        figures[f"gap_killed_{stage}_p95_ms"] = percentile(gaps, 95)
    return figures


def of_gateways(outcomes: Sequence[Outcome]) -> Figures:
    """How long the talk was held up by the death of its gateway."""
    held_up = [held_up_ms(one) for one in outcomes if not one.lost]
    return {
        "gateway_kills": len(outcomes),
        "gateway_calls_lost": sum(one.lost for one in outcomes),
        "gateway_resume_p50_ms": percentile(held_up, 50),
        "gateway_resume_p95_ms": percentile(held_up, 95),
    }


def held_up_ms(outcome: Outcome) -> float:
    """From the gateway's death until the call was ready again, or the silence, if longer."""
    ready = [one.ready_at for one in outcome.take.reconnects if one.ready_at > outcome.injury.at]
    away_ms = (ready[0] - outcome.injury.at) * 1000 if ready else 0.0
    return max(away_ms, outcome.gap_ms)


def of_losses(part: str, losses: str, outcomes: Sequence[Outcome]) -> Figures:
    """How calls came through the loss of NATS, of a member of its cluster, of the way there."""
    gaps = [one.gap_ms for one in outcomes if not one.lost]
    return {
        f"{part}_{losses}": len(outcomes),
        f"{part}_calls_lost": sum(one.lost for one in outcomes),
        f"{part}_gap_p95_ms": percentile(gaps, 95),
    }


def _gaps(outcomes: Sequence[Outcome], action: Action) -> list[float]:
    return [
        one.gap_ms
        for one in outcomes
        if one.plan.action is action and one.injury.busy and not one.lost
    ]
