"""Cuts a message into pieces of a length that a synthesizer speaks well, and keeps their places."""

import re
from collections.abc import Iterable
from typing import NamedTuple

_CLAUSE_END = re.compile(r"(?<=[,;:—])\s+")
_SPACE = re.compile(r"\s+")


class Piece(NamedTuple):
    """A part of a message; `offset` is the index of its first character in the message."""

    offset: int
    text: str


def cut(message: str, sentences: Iterable[str], longest: int) -> list[Piece]:
    """The sentences of `message` in order, those of more than `longest` characters divided.

    Each sentence must be a part of the message, as it stands there.
    """
    pieces, position = [], 0
    for sentence in sentences:
        offset = message.index(sentence, position)
        position = offset + len(sentence)
        pieces += _divide(Piece(offset, sentence), longest)
    return pieces


def _divide(piece: Piece, longest: int) -> list[Piece]:
    """The piece, halved again and again: between clauses, else words, else anywhere."""
    if len(piece.text) <= longest:
        return [piece]
    end, start = _middle_gap(piece.text)
    left = Piece(piece.offset, piece.text[:end])
    right = Piece(piece.offset + start, piece.text[start:])
    return _divide(left, longest) + _divide(right, longest)


def _middle_gap(text: str) -> tuple[int, int]:
    """Where the first half ends and the second begins."""
    middle, quarter = len(text) // 2, len(text) // 4
    for gap in (_CLAUSE_END, _SPACE):
        found = [match.span() for match in gap.finditer(text)]
        inner = [span for span in found if quarter < span[0] and span[1] < len(text) - quarter]
        if inner:
            return min(inner, key=lambda span: abs(span[0] - middle))
    return middle, middle
