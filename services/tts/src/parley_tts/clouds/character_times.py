"""Makes marks of the times of characters, as they come with each piece of the audio."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from parley.marks import Mark

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\s\u3040-\u30ff\u3400-\u9fff]+")
"""What stands between white space; a Chinese or Japanese character is a word of its own."""
_AHEAD = 4
"""A word is looked for among so many of the message: what is read out may differ from it."""


class Character(NamedTuple):
    """A character as it is spoken; times in ms."""

    text: str
    start_ms: float
    end_ms: float


class CharacterTimes:
    """Finds the words of `message` in the characters of its audio."""

    def __init__(self, message: str) -> None:
        self._words = [(match.group(), match.start()) for match in _WORD.finditer(message)]
        self._next = 0
        self._word: list[Character] = []
        self._told = False

    def place(self, characters: Iterable[Character]) -> list[Mark]:
        """The marks of the words that begin in these characters, which follow those before.

        A word that goes on in the next piece is told of now, before its audio is sent. Where it
        ends is estimated by its share of the characters.
        """
        marks: list[Mark] = []
        for character in characters:
            if character.text.isspace():
                marks += self._end()
            elif _is_word(character.text):
                marks += self._end()
                self._word.append(character)
                marks += self._end()
            else:
                self._word.append(character)
        return marks + self._tell(is_whole=False)

    def _end(self) -> list[Mark]:
        marks = self._tell(is_whole=True)
        self._word, self._told = [], False
        return marks

    def _tell(self, *, is_whole: bool) -> list[Mark]:
        if not self._word or self._told:
            return []
        text = "".join(character.text for character in self._word)
        known = _key(text)
        for index in range(self._next, min(self._next + _AHEAD, len(self._words))):
            word, offset = self._words[index]
            if _key(word) == known or (not is_whole and _key(word).startswith(known)):
                self._next, self._told = index + 1, True
                start, end = self._word[0].start_ms, self._word[-1].end_ms
                if not is_whole:
                    end = start + (end - start) * len(word) / len(text)
                return [Mark(word, offset, start, end)]
        return []


def _is_word(text: str) -> bool:
    return len(text) == 1 and _WORD.fullmatch(text) is not None and ord(text) >= 0x3040


def _key(word: str) -> str:
    letters = "".join(character for character in word if character.isalnum())
    return letters.casefold() or word
