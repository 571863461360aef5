"""How likely a sentence ends with what Moonshine wrote."""

import numpy as np

from parley_stt.engines.sentence_end import SentenceEnd

FULL_STOP, TO = 29889, 304
VOCABULARY = 32_768


def logits(**others: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    odds = np.full(VOCABULARY, -20.0, np.float32)
    odds[FULL_STOP] = 0.0
    for token, value in others.items():
        odds[int(token.strip("t"))] = value
    return odds


def test_it_is_a_probability_however_the_logits_are_scaled() -> None:
    sentence_end = SentenceEnd()
    one = sentence_end.probability(logits())
    assert 0 <= one <= 1
    assert abs(sentence_end.probability(logits() + 7) - one) < 1e-6


def test_what_else_may_follow_makes_a_difference() -> None:
    sentence_end = SentenceEnd()
    assert sentence_end.probability(logits(t304=-0.5)) != sentence_end.probability(logits())
