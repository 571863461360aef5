"""Silence around speech, and loudness."""

import numpy as np
import pytest

from parley_tts.edges import Samples, tail_after, trim
from parley_tts.loudness import amplified

RATE = 1000


def tone(silence_ms: int, speech_ms: int, after_ms: int) -> Samples:
    speech = np.full(speech_ms, 0.5, np.float32)
    return np.concatenate([np.zeros(silence_ms), speech, np.zeros(after_ms)]).astype(np.float32)


def test_long_silence_is_cut_to_what_is_wanted() -> None:
    trimmed = trim(tone(300, 500, 450), RATE, tail_ms=200)
    assert len(trimmed.samples) == 60 + 500 + 200
    assert (trimmed.cut_ms, trimmed.speech_start_ms, trimmed.speech_end_ms) == (240, 60, 560)


def test_a_short_tail_is_filled_up_and_a_short_lead_stays_short() -> None:
    trimmed = trim(tone(20, 500, 0), RATE, tail_ms=80)
    assert len(trimmed.samples) == 20 + 500 + 80
    assert (trimmed.cut_ms, trimmed.speech_start_ms) == (0, 20)


def test_the_edges_are_faded() -> None:
    trimmed = trim(tone(0, 500, 0), RATE, tail_ms=0)
    assert trimmed.samples[0] == trimmed.samples[-1] == 0


def test_silence_alone_is_no_error() -> None:
    assert trim(np.zeros(100, np.float32), RATE, 0).speech_start_ms == 0
    assert trim(np.zeros(0, np.float32), RATE, 0).samples.size == 0


@pytest.mark.parametrize(
    ("text", "tail_ms"),
    [("Yes.", 200), ('He said "yes."', 200), ("Yes?)", 200), ("Well,", 80), ("and then", 80)],
)
def test_a_sentence_is_followed_by_a_longer_pause(text: str, tail_ms: float) -> None:
    assert tail_after(text) == tail_ms


def test_amplifying_never_clips_and_leaves_quiet_moments_alone() -> None:
    samples = np.array([-0.9, -0.1, 0.0, 0.2, 0.9], np.float32)
    louder = amplified(samples, 2.0)
    assert louder[1:4] == pytest.approx([-0.2, 0.0, 0.4])
    assert 0.7 < louder[4] < 1.0
    assert louder[0] == -louder[4]
