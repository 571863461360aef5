"""Marks, and which part of a message has been spoken after so many milliseconds."""

from collections.abc import Sequence
from typing import NamedTuple

TYPICAL_CHARACTERS_PER_SECOND = 15.0
"""How fast speech runs when nothing better is known; only a duration still unknown needs it."""


class Mark(NamedTuple):
    """A word of a message and the moment at which it is spoken.

    `offset` is the index of the word's first character in the message; `start_ms` and
    `end_ms` count from the first sample of the message's audio.
    """

    word: str
    offset: int
    start_ms: float
    end_ms: float


def message_up_to(
    message: str, marks: Sequence[Mark], spoken_ms: float, duration_ms: float | None
) -> str:
    """The part of `message` that was heard in `spoken_ms`, cut at a word.

    A word counts as heard from its middle on. Without marks the words are laid over the
    audio by their share of the characters; `duration_ms` is the length of the whole
    message's audio, None while it is not known yet.
    """
    if spoken_ms <= 0:
        return ""
    if duration_ms is not None and spoken_ms >= duration_ms:
        return message
    if not marks:
        marks = share_marks(message, duration_ms or _typical_ms(message))
    heard = [mark for mark in marks if (mark.start_ms + mark.end_ms) / 2 <= spoken_ms]
    if not heard:
        return ""
    last = max(heard, key=lambda mark: mark.offset)
    return _with_closing_punctuation(message, last.offset + len(last.word))


def share_marks(message: str, duration_ms: float) -> list[Mark]:
    """Marks for a voice that gives none: each word lasts its share of the characters."""
    per_character = duration_ms / max(len(message), 1)
    marks, position = [], 0
    for word in message.split():
        position = message.index(word, position)
        end = position + len(word)
        marks.append(Mark(word, position, position * per_character, end * per_character))
        position = end
    return marks


def _typical_ms(message: str) -> float:
    return len(message) / TYPICAL_CHARACTERS_PER_SECOND * 1000


def _with_closing_punctuation(message: str, end: int) -> str:
    while end < len(message) and not (message[end].isalnum() or message[end].isspace()):
        end += 1
    return message[:end]
