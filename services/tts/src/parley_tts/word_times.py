"""Finds the words of a message in the words that were spoken.

A synthesizer reads "$9.99 at 7:30 pm" as "nine dollars and ninety nine cents at seven thirty
P.M.", and knows the times of those words. What is wanted is the times of the message's words.
"""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from parley.marks import Mark

_WORD = re.compile(r"\S+")


class SpokenWord(NamedTuple):
    """A word as the synthesizer read it, and its time (ms) in the audio."""

    text: str
    start_ms: float
    end_ms: float


class _Span(NamedTuple):
    start_ms: float
    end_ms: float


def place_words(message: str, spoken: Sequence[SpokenWord]) -> list[Mark]:
    """A mark for each word of `message`, in order; none where nothing was spoken.

    A word is what stands between white space. Equal words are matched first; what is left
    between two matches shares the time of what was spoken there; a word that nobody
    speaks, an emoji or a dash, gets the gap between its neighbours, which may be nothing.
    """
    if not spoken:
        return []
    words = [(match.group(), match.start()) for match in _WORD.finditer(message)]
    spans = _fill([word for word, _ in words], _align([word for word, _ in words], spoken))
    return [Mark(word, at, *span) for (word, at), span in zip(words, spans, strict=True)]


def _align(words: list[str], spoken: Sequence[SpokenWord]) -> dict[int, _Span]:
    """The times of those words, by index, that were spoken."""
    spoken_keys = [_key(word.text) for word in spoken]
    voiced = [i for i, word in enumerate(words) if _has_sound(word) or _key(word) in spoken_keys]
    keys = [_key(words[i]) for i in voiced]
    spans: dict[int, _Span] = {}
    matcher = SequenceMatcher(None, keys, spoken_keys, autojunk=False)
    for _, first, last, spoken_first, spoken_last in matcher.get_opcodes():
        indices, heard = voiced[first:last], spoken[spoken_first:spoken_last]
        if len(indices) == len(heard):
            times = [_Span(word.start_ms, word.end_ms) for word in heard]
        elif indices and heard:
            whole = _Span(heard[0].start_ms, heard[-1].end_ms)
            times = _share([words[i] for i in indices], whole)
        else:
            continue
        spans.update(zip(indices, times, strict=True))
    return spans


def _fill(words: list[str], spans: dict[int, _Span]) -> list[_Span]:
    """The times of all words: those without one share the gap between their neighbours."""
    filled: list[_Span] = []
    known = sorted(spans)
    for following in [*known, None]:
        until = len(words) if following is None else following
        missing = words[len(filled) : until]
        start = filled[-1].end_ms if filled else None
        end = None if following is None else spans[following].start_ms
        start, end = start if start is not None else end or 0.0, end if end is not None else start
        gap = _Span(start, max(start, end or 0.0))
        filled += _share(missing, gap)
        if following is not None:
            filled.append(spans[following])
    return filled


def _share(words: Sequence[str], span: _Span) -> list[_Span]:
    """The span, divided among the words by their characters."""
    total = sum(map(len, words))
    shares, position, length = [], 0, span.end_ms - span.start_ms
    for word in words:
        start = span.start_ms + length * position / total
        position += len(word)
        shares.append(_Span(start, span.start_ms + length * position / total))
    return shares


def _key(word: str) -> str:
    """What makes two spellings the same word: letters and digits; for a symbol, itself."""
    return "".join(c for c in word.lower() if c.isalnum()) or word


def _has_sound(word: str) -> bool:
    return any(c.isalnum() for c in word)
