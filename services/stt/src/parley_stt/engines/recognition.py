"""What a recogniser of whole utterances makes of one, and whether to believe it."""

import re
from dataclasses import dataclass, replace

MIN_CONFIDENCE = 0.3
"""Below this the words are guesses. Clear speech has 0.7 or more, a strong accent 0.4."""
MIN_CONFIDENCE_OF_DOUBTFUL = 0.7
"""What is asked of words that recognisers also write where nobody speaks."""
DOUBTFUL = frozenset({"you", "thank you"})
MADE_UP = frozenset(
    {
        "thank you for watching",
        "thanks for watching",
        "please subscribe",
        "subtitles by the amara org community",
        "transcript emily beynon",
    }
)
"""What recognisers trained on films write where nobody speaks."""
LOOPS = 4
"""Two or more words that come so often in a row are a recogniser that has lost itself."""


@dataclass(frozen=True)
class Recognition:
    """The text of one stretch of audio; `took_ms`: how long it took to recognise it."""

    text: str = ""
    confidence: float = 1.0
    took_ms: float = 0.0
    sentence_end: float | None = None
    """How likely a sentence ends with the text, where the recogniser knows that."""


def without_hallucinations(recognition: Recognition) -> Recognition:
    """The recognition, with no text where the words are most likely made up."""
    words = " ".join(re.findall(r"\w+", recognition.text.lower()))
    needed = MIN_CONFIDENCE_OF_DOUBTFUL if words in DOUBTFUL else MIN_CONFIDENCE
    if words and words not in MADE_UP and not _is_loop(words) and recognition.confidence >= needed:
        return recognition
    return replace(recognition, text="")


def _is_loop(text: str) -> bool:
    return re.search(rf"(\b\w+ \w.*? )\1{{{LOOPS - 1}}}", f"{text} ") is not None
