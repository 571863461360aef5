"""Cuts a reply's text, while it is written, into what is spoken in one piece. Pure."""

import re

MAX_CHARACTERS = 240
"""A sentence longer than this is cut at a clause or a space: some 15 s of speech."""
WINDOW = 4 * MAX_CHARACTERS
"""So far its end is looked for: all calls wait for whatever a model may write, a million dots."""
MIN_FIRST_CLAUSE = 8
"""The first segment may end at a clause of so many characters: it is heard sooner. "I'm sorry,"
takes as long to say as the next clause takes to be written and spoken."""

_SENTENCE_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’)\]]*+(?=\s)|\n+")
_CLAUSE_END = re.compile(r"[,;:—–][\"'”’)\]]*(?=\s)")
_FIRST_CLAUSE_END = re.compile(rf"{_CLAUSE_END.pattern}|(?<=[^\W\d])[,;]\Z")
"""After a letter, what comes next need not be waited for."""
_ABBREVIATION = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|st|vs|etc|e\.g|i\.e|no|jr|sr|approx|dept|est)|\b[a-z]|\A\s*\d{1,2})\.$",
    re.IGNORECASE,
)
_LONGEST_ABBREVIATION = 10
_MARKDOWN = re.compile(r"[*_`#>|~]+|^[^\S\n]*(?:[-•]|\d+[.)])\s+", re.MULTILINE)


class Segmenter:
    """Takes text in pieces of any size, gives sentences; the first may be a clause."""

    def __init__(self, *, first_clause: bool = True) -> None:
        self._text = ""
        self._first_clause = first_clause

    def push(self, text: str) -> list[str]:
        """The segments that `text` completes."""
        self._text += text
        segments = []
        while (end := self._end_of_segment()) is not None:
            segment = speakable(self._text[:end])
            self._text = self._text[end:].lstrip(" ")
            if segment:
                segments.append(segment)
                self._first_clause = False
        return segments

    def flush(self) -> list[str]:
        """What is left when the reply is complete."""
        segments = self.push("\n")
        self._text = ""
        return segments

    def _end_of_segment(self) -> int | None:
        for match in _SENTENCE_END.finditer(self._text, 0, WINDOW):
            begin = max(0, match.start() - _LONGEST_ABBREVIATION)
            if not _ABBREVIATION.search(self._text, begin, match.start() + 1):
                return match.end()
        if self._first_clause:
            for match in _FIRST_CLAUSE_END.finditer(self._text, 0, WINDOW):
                if match.end() >= MIN_FIRST_CLAUSE:
                    return match.end()
        if len(self._text) > MAX_CHARACTERS:
            clauses = [match.end() for match in _CLAUSE_END.finditer(self._text[:MAX_CHARACTERS])]
            cut = clauses[-1] if clauses else self._text.rfind(" ", 1, MAX_CHARACTERS) + 1
            return cut or (WINDOW if len(self._text) > WINDOW else None)
        return None


def speakable(text: str) -> str:
    """`text` without the markup that a voice would stumble over."""
    return " ".join(_MARKDOWN.sub("", text).split())
