"""The fit that tells ends of sentences from pauses, on logits that are made up."""

import numpy as np

from benchmarks.turns.sentence_ends import Heard, fitted

SIGNAL, OTHER = 3, 5


def looks(speaker: str, count: int, signal: float) -> list[Heard]:
    """As many ends as pauses; one token is likelier at ends by `signal`, another is random."""
    random = np.random.default_rng(count)
    found = []
    for index in range(count):
        logits = random.standard_normal(50).astype(np.float32)
        logits[SIGNAL] += signal if index % 2 else -signal
        found.append(Heard(speaker, bool(index % 2), logits))
    return found


def test_what_differs_at_ends_gets_the_weight() -> None:
    weights, _ = fitted(looks("one", 600, 2.0), [SIGNAL, OTHER])
    assert weights[0] > 5 * abs(weights[1])


def test_a_speaker_with_much_more_does_not_drown_the_others() -> None:
    alone, _ = fitted(looks("one", 1600, 2.0), [SIGNAL])
    both, _ = fitted(looks("one", 1600, 2.0) + looks("other", 100, -2.0), [SIGNAL])
    equal, _ = fitted(looks("one", 1600, 2.0) + looks("one", 100, -2.0), [SIGNAL])
    assert both[0] < equal[0] < alone[0]
