"""Makes marks of Amazon Polly's speech marks."""

import json
from itertools import pairwise

from parley.marks import TYPICAL_CHARACTERS_PER_SECOND, Mark

_LONGEST_CHARACTER_MS = 150.0
"""A word that seems to last longer for each of its characters has a pause after it."""


def read_marks(message: str, lines: bytes) -> list[Mark]:
    """The words of `message` with their times, from a response in lines of JSON.

    Polly says where a word begins, in bytes of UTF-8, and when, but not how long it lasts: until
    the next one, or a pause. A line that cannot be understood is skipped.
    """
    text = message.encode()
    words = sorted(filter(None, (_word(text, line) for line in lines.splitlines())))
    marks = []
    for (start, offset, word), (until, _, _) in pairwise([*words, (float("inf"), 0, "")]):
        longest = len(word) * _LONGEST_CHARACTER_MS
        if until == float("inf"):
            longest = len(word) * 1000 / TYPICAL_CHARACTERS_PER_SECOND
        marks.append(Mark(word, offset, start, min(until, start + longest)))
    return marks


def _word(text: bytes, line: bytes) -> tuple[float, int, str] | None:
    """When, where and what; None for a line about anything else than a word of the text."""
    try:
        mark = json.loads(line)
        if mark["type"] != "word":
            return None
        start, end = int(mark["start"]), int(mark["end"])
        word = text[start:end].decode()
        if start < 0 or not word:
            return None
        return float(mark["time"]), len(text[:start].decode()), word
    except (ValueError, KeyError, TypeError):
        return None
