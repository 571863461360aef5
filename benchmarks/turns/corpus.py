"""All cases, made from packages and voices at run time. The same seed makes the same cases."""

from random import Random

from benchmarks.turns import asking, overlapping
from benchmarks.turns.cases import Case

QUICK = 5
"""`--quick` makes every fifth case."""


def build(seed: int, quick: bool = False) -> list[Case]:
    """The cases, those of a kind together."""
    random = Random(seed)
    interruptions = overlapping.interruptions(random)
    groups = [
        asking.clear(),
        asking.pauses(random),
        asking.answers(random),
        interruptions,
        overlapping.untimed(interruptions),
        overlapping.backchannels(random),
        overlapping.noises(random),
        overlapping.not_directed(random),
    ]
    return [case for group in groups for case in (group[::QUICK] if quick else group)]
