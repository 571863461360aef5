"""Keeps loud moments within full scale without the crackle of clipping."""

import numpy as np

from parley_tts.edges import Samples

KNEE = 0.7
"""Of full scale: what is below passes unchanged."""


def amplified(samples: Samples, gain: float) -> Samples:
    """The samples, `gain` times as loud; peaks are rounded off below full scale."""
    louder = samples * np.float32(gain)
    size = np.abs(louder)
    room = np.float32(1 - KNEE)
    rounded = np.sign(louder) * (KNEE + room * np.tanh((size - KNEE) / room))
    return np.where(size > KNEE, rounded, louder).astype(np.float32)
