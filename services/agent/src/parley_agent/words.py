"""Text as words, with all that stands between them, while it is written. Pure."""

import re
from typing import NamedTuple

# Signs that a voice does not say and that may stand within a word; compare what the gateway
# leaves out of what it gives to the voice.
_SILENT = "*_`#>|~'’"
_GAP, _WORD, _TRAIL = r"([\W_]*+)", rf"([^\W_]++(?:[{_SILENT}]++[^\W_]++)*+)", r"((?:[^\w\s]|_)*+)"
_KNOWN_TO_END = re.compile(rf"{_GAP}{_WORD}{_TRAIL}(?=\s|[^\W_])")
_LAST = re.compile(rf"{_GAP}{_WORD}{_TRAIL}(?=\s|[^\W_]|\Z)")

_SENTENCE_END = re.compile(r"[.!?…][^\w\s,;:]*$")
_SENTENCE_END_WITHOUT_SPACE = re.compile(r"[。！？]")
# As the gateway has them, which cuts the text into what is spoken.
_ABBREVIATION = re.compile(r"mr|mrs|ms|dr|prof|st|vs|etc|no|jr|sr|approx|dept|est|[^\W\d]")


class Word(NamedTuple):
    """A word of a text, and where it stands."""

    text: str
    """The word with the gap before it and the signs after it, as they stand in the text."""

    key: str
    """The word itself, without case and markup: what two texts are compared by."""

    begins_sentence: bool
    is_list_number: bool
    """The number of a list's item, such as `2.`, which is written but not spoken."""


class Words:
    """Takes text in pieces of any size, gives its words, each as soon as it has ended."""

    def __init__(self) -> None:
        self._text = ""
        self._previous: Word | None = None

    def push(self, text: str) -> list[Word]:
        """The words that are complete with `text`."""
        self._text += text
        return self._take(_KNOWN_TO_END)

    def end(self) -> list[Word]:
        """The last word, where the text has ended."""
        return self._take(_LAST)

    @property
    def left(self) -> str:
        """What has not been part of a word."""
        return self._text

    def _take(self, pattern: re.Pattern[str]) -> list[Word]:
        words, position = [], 0
        while match := pattern.match(self._text, position):
            position = match.end()
            words.append(self._word(*match.groups()))
        self._text = self._text[position:]
        return words

    def _word(self, gap: str, word: str, trail: str) -> Word:
        key = re.sub(f"[{_SILENT}]", "", word).casefold()
        begins = self._previous is None or _ends_sentence(self._previous, gap)
        is_number = begins and key.isdigit() and trail[:1] in (".", ")")
        self._previous = Word(gap + word + trail, key, begins, is_number)
        return self._previous


def _ends_sentence(word: Word, gap: str) -> bool:
    """Whether a sentence ends with the word, before this gap."""
    if "\n" in gap or _SENTENCE_END_WITHOUT_SPACE.search(word.text):
        return True
    if not gap[:1].isspace() or word.is_list_number:
        return False
    is_abbreviation = word.text.endswith(".") and _ABBREVIATION.fullmatch(word.key)
    return bool(_SENTENCE_END.search(word.text)) and not is_abbreviation


def words_of(text: str) -> list[Word]:
    """The words of a whole text."""
    words = Words()
    return words.push(text) + words.end()
