"""A reply that another worker began: only what that one had not written is sent. Pure."""

from collections.abc import Sequence

from parley.messages import ChatMessage
from parley_agent.words import Word, Words, words_of

GO_ON = (
    "A technical fault cut your reply off. I have heard what you said so far. Go on exactly where "
    "you stopped: repeat nothing of it, and do not speak of the fault."
)


def asked_to_go_on(history: Sequence[ChatMessage]) -> list[ChatMessage]:
    """The history, for a model that would answer, not continue, a reply that it ends with."""
    if history and history[-1].role == "assistant":
        return [*history, ChatMessage(role="user", content=GO_ON)]
    return list(history)


class Rest:
    """Of a reply that is written anew or continued, what goes beyond the text written before.

    Texts are compared by their words alone. A sentence of the new text that was written before
    is dropped, wherever it stood, but once only. Where the new text departs from the old one, it
    is given from the beginning of that sentence on; where either text begins a sentence, nothing
    before is given again. All else of the new text is given, from the place where it is new.
    """

    def __init__(self, written: str) -> None:
        words = words_of(written)
        self._written = [word.key for word in words]
        self._beginnings = {at for at, word in enumerate(words) if word.begins_sentence}
        self._unspent = sorted(self._beginnings)
        self._next = 0
        self._words = Words()
        self._held: list[Word] = []
        self._number = ""
        self._matched_at: int | None = None
        self._is_new = False
        self._has_given = False

    def push(self, text: str) -> str:
        """What of `text` is new and certain to be so; the rest of it may come with a later one."""
        if not self._written:
            return text
        return self._given(self._new_of(self._words.push(text)))

    def end(self) -> str:
        """What is new at the end of the reply."""
        new = self._new_of(self._words.end())
        return self._given(new + self._words.left if self._is_new else new)

    def _given(self, text: str) -> str:
        if not self._has_given and self._written:
            text = text.lstrip()
        self._has_given = self._has_given or bool(text)
        return text

    def _new_of(self, words: list[Word]) -> str:
        return "".join(self._new(word) for word in words)

    def _new(self, word: Word) -> str:
        if word.begins_sentence or self._matched_end in self._beginnings:
            self._settle()
            self._is_new = self._is_new and not word.begins_sentence
        if self._is_new:
            return word.text
        self._held.append(word)
        self._matched_at = self._find()
        if self._matched_at is None:
            return self._set_aside(word) if word.is_list_number else self._let_go()
        if self._matched_end == len(self._written):
            self._settle()
            self._is_new = True
        return ""

    @property
    def _matched_end(self) -> int | None:
        """Where in the old text the held words end."""
        return None if self._matched_at is None else self._matched_at + len(self._held)

    def _find(self) -> int | None:
        """Where the old text has the held words: where the last ones ended, or in a sentence."""
        keys = [word.key for word in self._held]
        goes_on = [] if self._next in self._beginnings - set(self._unspent) else [self._next]
        for at in [*goes_on, *self._unspent]:
            if self._written[at : at + len(keys)] == keys:
                return at
        return None

    def _settle(self) -> None:
        """The held words were written before."""
        if self._matched_at is not None and self._matched_end is not None:
            spent = range(self._matched_at, self._matched_end)
            self._unspent = [at for at in self._unspent if at not in spent]
            self._next = self._matched_end
        self._held.clear()
        self._number = ""
        self._matched_at = None

    def _set_aside(self, number: Word) -> str:
        """A list's number is not spoken: whether it is new depends on what it numbers."""
        self._held.remove(number)
        self._number = number.text
        return ""

    def _let_go(self) -> str:
        """The held words are new."""
        text = self._number + "".join(word.text for word in self._held)
        self._held.clear()
        self._number = ""
        self._is_new = True
        return text
