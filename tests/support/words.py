"""Comparing what was said with what was recognised."""

import functools
import re

import jiwer
from whisper_normalizer.english import EnglishTextNormalizer


@functools.cache
def _normalizer() -> EnglishTextNormalizer:
    return EnglishTextNormalizer()


def normal(text: str) -> str:
    """The text as words only: no case, no punctuation, numbers one way."""
    # A recogniser's mark for a word that breaks off is not a word.
    return str(_normalizer()(text.replace("...", " ").replace("…", " ").replace(" -", " ")))


def word_error_rate(said: str, recognised: str) -> float:
    """Substituted, missing and added words over the words said; 0.0 is perfect."""
    return float(jiwer.wer(normal(said), normal(recognised)))


def share_recognised(claimed: str, recognised: str) -> float:
    """The share of the claimed words that are in what was recognised, in order."""
    if not normal(claimed):
        return 1.0
    measures = jiwer.process_words(normal(claimed), normal(recognised))
    return measures.hits / (measures.hits + measures.substitutions + measures.deletions)


def length_error(claimed: str, script: str, heard: str) -> int:
    """By how many words `claimed`, a beginning of `script`, is longer or shorter than `heard`.

    `heard` is what a recogniser made of the audio: it is laid over the script, so that a
    word that it misheard is not taken for one that is missing.
    """
    return len(normal(claimed).split()) - words_reached(script, heard)


def words_reached(script: str, heard: str) -> int:
    """How many words of the script had been said when the audio that gave `heard` ended."""
    script_words, heard_words = normal(script).split(), normal(heard).split()
    if not heard_words:
        return 0
    ends = range(len(script_words) + 1)
    distance = {
        end: jiwer.process_words(" ".join(script_words[:end]), " ".join(heard_words))
        for end in ends
        if end
    }
    errors = {
        end: one.substitutions + one.deletions + one.insertions for end, one in distance.items()
    }
    return min(errors, key=lambda end: (errors[end], abs(end - len(heard_words))))


def spoken_words(text: str) -> list[str]:
    """The words of a text as they stand."""
    return re.findall(r"\S+", text)
