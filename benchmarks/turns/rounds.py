"""Several rounds of the same cases: their median, and how far apart they are. Pure."""

from collections.abc import Sequence
from statistics import median
from typing import Any

from benchmarks.turns.figures import Figures
from benchmarks.turns.running import Run


def combined(rounds: Sequence[Figures]) -> Figures:
    """The median of each figure, and in `spread` what each round has for it."""
    spread = {
        name: [one[name] for one in rounds]
        for name, value in rounds[0].items()
        if not isinstance(value, dict)
    }
    return {**_medians(rounds), "spread": spread}


def pooled(rounds: Sequence[Run]) -> Run:
    """All that was observed, as if it had been one round."""
    return Run(
        rounds[0].transcriber,
        [seen for one in rounds for seen in one.observations],
        [reply for one in rounds for reply in one.resumed],
    )


def _medians(rounds: Sequence[Figures]) -> Figures:
    return {name: _median([one[name] for one in rounds]) for name in rounds[0]}


def _median(values: Sequence[Any]) -> Any:
    if isinstance(values[0], dict):
        return _medians(values)
    known = [one for one in values if one is not None]
    return round(median(known), 5) if known else None
