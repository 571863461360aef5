"""What a recogniser of whole utterances makes of one, and whether to believe it."""

import re
from dataclasses import dataclass, replace

MIN_CONFIDENCE = 0.55
"""Speech has 0.68 or more; noise that was taken for words nearly always less than this."""
HALLUCINATIONS = frozenset(
    {
        "thank you for watching",
        "thanks for watching",
        "please subscribe",
        "subtitles by the amara org community",
    }
)
"""What recognisers trained on films write when nobody speaks."""


@dataclass(frozen=True)
class Recognition:
    """The text of one stretch of audio, and how long it took to recognise it."""

    text: str = ""
    confidence: float = 1.0
    took_ms: float = 0.0


def without_hallucinations(recognition: Recognition) -> Recognition:
    """The recognition, with no text where the words are most likely made up."""
    words = " ".join(re.findall(r"\w+", recognition.text.lower()))
    if words and words not in HALLUCINATIONS and recognition.confidence >= MIN_CONFIDENCE:
        return recognition
    return replace(recognition, text="")
