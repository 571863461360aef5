"""What the scores amount to."""

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.chaos.figures import percentile
from benchmarks.turns.cases import Kind
from benchmarks.turns.observed import Observation
from benchmarks.turns.running import Run
from benchmarks.turns.scoring import WORDS_WRONG, Score, score, words_doubled

Scored = tuple[Observation, Score]
Figures = dict[str, Any]


def scored(run: Run) -> list[Scored]:
    """The observations that could be made, with their scores."""
    pairs = ((seen, score(seen)) for seen in run.observations)
    return [(seen, found) for seen, found in pairs if found is not None]


def figures(run: Run) -> Figures:
    """All figures of a run; a share or a latency of no cases is None."""
    all_ = scored(run)
    interruptions = _of(all_, Kind.INTERRUPTION)
    yields = [one.yield_ms for _, one in interruptions if one.good and one.yield_ms is not None]
    yields_played = [
        one.yield_played_ms
        for _, one in interruptions
        if one.good and one.yield_played_ms is not None
    ]
    clear = [one for _, one in _of(all_, Kind.CLEAR)]
    noises = _of(all_, Kind.NOISE)
    found: Figures = {
        **_percentiles("yield", yields),
        **_percentiles("yield_played", yields_played),
        "yielded_share": _share(interruptions),
        "interruptions_answered_share": _share(
            [one for one in interruptions if one[1].answered is not None], _interruption_answered
        ),
        "backchannel_selectivity": _share(_of(all_, Kind.BACKCHANNEL)),
        "noise_selectivity": _share(noises),
        "vocal_tic_selectivity": _share(
            [one for one in noises if one[0].case.name.startswith("tic ")]
        ),
        "not_directed_selectivity": _share(_of(all_, Kind.NOT_DIRECTED)),
        "answers_taken_share": _share(_of(all_, Kind.ANSWER)),
        "premature_share": _share(_of(all_, Kind.PAUSE), _premature),
        "unanswered_share": _share(_of(all_, Kind.PAUSE) + _of(all_, Kind.CLEAR), _unanswered),
        **_percentiles(
            "response", [one.response_ms for one in clear if one.response_ms is not None]
        ),
        **_percentiles(
            "response_delivered",
            [one.response_delivered_ms for one in clear if one.response_delivered_ms is not None],
        ),
        "heard_words_right_share": _words_right(interruptions),
        "heard_words_right_share_with_word_times": _words_right(
            [one for one in interruptions if one[0].case.timed]
        ),
        "heard_words_right_share_without": _words_right(
            [one for one in interruptions if not one[0].case.timed]
        ),
        "pauses": _pauses(all_),
        "resumed_replies": _resumed(run),
        "early_replies": _early(run),
        "cases": _cases(run, all_),
    }
    return found


def pauses_ms(all_: Sequence[Scored]) -> list[float]:
    """The lengths of all tentative pauses after which the bot went on."""
    return [ms for _, one in all_ for ms in one.pauses_ms]


def _pauses(all_: Sequence[Scored]) -> Figures:
    lengths = pauses_ms(all_)
    return {
        "count": len(lengths),
        "p50_ms": percentile(lengths, 50),
        "p95_ms": percentile(lengths, 95),
        "max_ms": round(max(lengths, default=0.0), 1),
        "longer_than_600_ms": sum(one > 600 for one in lengths),
    }


def _resumed(run: Run) -> Figures:
    return {
        "replies": len(run.resumed),
        "resumes": sum(one.resumes for one in run.resumed),
        "words_doubled": sum(words_doubled(one) for one in run.resumed),
    }


def _early(run: Run) -> Figures:
    used, early = run.early.used, run.early
    return {
        "used": used,
        "dropped": early.dropped,
        "gained_mean_ms": round(early.gained_ms / used, 1) if used else None,
    }


def _cases(run: Run, all_: Sequence[Scored]) -> Figures:
    """How many cases of each kind were scored, how many of them were recorded from life."""
    kinds = {
        str(kind): {
            "scored": len(_of(all_, kind)),
            "human": sum(seen.case.human for seen, _ in _of(all_, kind)),
            "synthesised": sum(not seen.case.human for seen, _ in _of(all_, kind)),
            "lost": sum(bool(seen.lost) for seen in run.observations if seen.case.kind is kind),
        }
        for kind in Kind
    }
    words = sum(one.words_wrong is not None for _, one in all_)
    return {**kinds, "heard_words": {"scored": words}}


def _of(all_: Sequence[Scored], kind: Kind) -> list[Scored]:
    return [one for one in all_ if one[1].kind is kind]


def _good(one: Score) -> bool:
    return one.good


def _premature(one: Score) -> bool:
    return one.premature


def _interruption_answered(one: Score) -> bool:
    return bool(one.answered)


def _unanswered(one: Score) -> bool:
    return one.response_ms is None and not one.premature


def _share(some: Sequence[Scored], what: Callable[[Score], bool] = _good) -> float | None:
    return round(sum(what(one) for _, one in some) / len(some), 4) if some else None


def _words_right(some: Sequence[Scored]) -> float | None:
    wrong = [abs(one.words_wrong) for _, one in some if one.words_wrong is not None]
    return round(sum(one <= WORDS_WRONG for one in wrong) / len(wrong), 4) if wrong else None


def _percentiles(name: str, values: Sequence[float]) -> dict[str, float | None]:
    return {
        f"{name}_p50_ms": percentile(values, 50) if values else None,
        f"{name}_p95_ms": percentile(values, 95) if values else None,
    }
