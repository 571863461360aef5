"""The books of a call: was every word said, heard, answered and written down once?

Pure functions over what the caller's device has of a call. What a quiet call of the same script
gives is the measure.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from benchmarks.chaos.take import Take
from support.words import normal

Words = Sequence[str]

ALIKE = 0.5
"""Words that stand in each other's place are one thing heard differently, if so alike."""
PHRASE = 3
"""A recogniser mishears single words; so many in a row are there or not."""


@dataclass(frozen=True)
class Difference:
    """What is missing from words, there twice (or out of nowhere), or there in other words."""

    lost: int = 0
    doubled: int = 0
    changed: int = 0

    def __add__(self, other: "Difference") -> "Difference":
        return Difference(
            self.lost + other.lost, self.doubled + other.doubled, self.changed + other.changed
        )

    @property
    def size(self) -> int:
        """All of it, words that were lost or doubled before those that changed."""
        return 1000 * (self.lost + self.doubled) + self.changed


def compare(expected: Words, got: Words) -> Difference:
    """How `got` differs from what was expected, in words."""
    total = Difference()
    for kind, i1, i2, j1, j2 in SequenceMatcher(None, expected, got, autojunk=False).get_opcodes():
        missing, added = i2 - i1, j2 - j1
        if kind == "replace" and _alike(expected[i1:i2], got[j1:j2]):
            shared = min(missing, added)
            total += Difference(missing - shared, added - shared, shared)
        elif kind != "equal":
            total += Difference(missing, added)
    return total


def closest(variants: Sequence[Words], got: Words) -> Difference:
    """The smallest difference from any of what quiet calls gave."""
    return min((compare(variant, got) for variant in variants), key=lambda one: one.size)


def phrases(expected: Words, heard: Words) -> Difference:
    """How what a recogniser heard differs from what was said, in phrases of 3 words and more."""
    total = Difference()
    for kind, i1, i2, j1, j2 in SequenceMatcher(
        None, expected, heard, autojunk=False
    ).get_opcodes():
        if kind != "equal":
            missing = max(0, i2 - i1 - (j2 - j1))
            added = max(0, j2 - j1 - (i2 - i1))
            total += Difference(
                missing if missing >= PHRASE else 0, added if added >= PHRASE else 0
            )
    return total


def _alike(one: Words, other: Words) -> bool:
    return SequenceMatcher(None, " ".join(one), " ".join(other), autojunk=False).ratio() >= ALIKE


@dataclass(frozen=True)
class Quiet:
    """What quiet calls of one script give: the measure of the others."""

    user: Sequence[Words]
    """What was recognised of the caller, in each of them."""
    reply: str
    """What the bot says, whatever it is asked."""
    waiting_ms: float
    """The median of what the caller waited for answers, silences inside them included."""


@dataclass
class Books:
    """What was found. Empty of findings, and all zeros, if all is well."""

    user: Difference = field(default_factory=Difference)
    """The caller's words, as the gateway had them recognised."""
    reply: Difference = field(default_factory=Difference)
    """The bot's words, as the gateway says that they were heard."""
    findings: list[str] = field(default_factory=list)

    @property
    def balanced(self) -> bool:
        """Nothing lost, nothing doubled, nothing else wrong."""
        total = self.user + self.reply
        return not (total.lost or total.doubled or self.findings)


def user_words(take: Take) -> list[str]:
    """All that was recognised of the caller, in order."""
    finals = take.of("transcription", is_final=True)
    return normal(" ".join(str(one.data["message"]) for one in finals)).split()


def audit(take: Take, quiet: Quiet) -> Books:
    """Check a call that came to its end."""
    books = Books()
    books.user = closest(quiet.user, user_words(take))
    _check_replies(take, quiet.reply, books)
    if take.history is not None:
        _check_history(take, books)
    return books


def _check_replies(take: Take, text: str, books: Books) -> None:
    """Two answers: one whole, and one cut off by a real interruption, in the script's order."""
    script = normal(text).split()
    answers = [one for one in take.of("spoken") if one.data["text"]]
    answers_whole = [not take.barge_in, take.barge_in]
    for number, (answer, whole) in enumerate(zip(answers, answers_whole, strict=False), 1):
        said = normal(str(answer.data["text"])).split()
        expected = script if whole else script[: len(said)]
        difference = compare(expected, said)
        books.reply += difference
        if answer.data["cut_off"] is whole:
            books.findings.append(f"answer {number} was {'cut off' if whole else 'not cut off'}")
        if whole:
            _check_written(take, int(answer.data["turn"]), script, books)
    if len(answers) != len(answers_whole):
        books.findings.append(f"{len(answers)} answers, not {len(answers_whole)}")
        extra = answers[len(answers_whole) :]
        books.reply += Difference(
            doubled=sum(len(normal(str(one.data["text"])).split()) for one in extra)
        )
    turns = [one.data["turn"] for one in take.of("spoken")]
    if len(turns) != len(set(turns)):
        books.findings.append(f"a turn was settled twice: {turns}")


def _check_written(take: Take, turn: int, script: Words, books: Books) -> None:
    """The text that the client was sent for a whole answer is the answer, once.

    After a resume it is told what is still to be spoken.
    """
    parts = [normal(part).split() for part in _written(take, turn)]
    rest = parts[-1]
    difference = compare(script[-len(rest) :] if len(parts) > 1 and rest else script, rest)
    for part in parts[:-1]:
        difference += compare(script[: len(part)], part)
    missing = len(script) - sum(len(part) for part in parts)
    if difference.lost or difference.doubled or missing > 0:
        books.findings.append(f"the written text of turn {turn} differs: {difference}: {parts}")


def _written(take: Take, turn: int) -> list[str]:
    """The text of a turn as it was written, divided where the call was resumed."""
    parts = [""]
    for event in take.events:
        if event.type == "ready" and event.data.get("resumed"):
            parts.append("")
        elif event.type == "reply" and event.data["turn"] == turn:
            if event.data.get("restart"):
                parts = [""]
            parts[-1] += str(event.data["text"])
    return parts[:-1] if len(parts) > 1 and not parts[-1] else parts


def _check_history(take: Take, books: Books) -> None:
    """The transcript that the gateway keeps is what its events said."""
    answers = " ".join(str(one.data["text"]) for one in take.of("spoken"))
    said = {"human": user_words(take), "bot": normal(answers).split()}
    for speaker, expected in said.items():
        lines = [str(one["text"]) for one in take.history or [] if one["speaker"] == speaker]
        difference = compare(expected, normal(" ".join(lines)).split())
        if difference.size:
            books.findings.append(f"the transcript of the {speaker} differs: {difference}")


def check_ear(take: Take, heard: str) -> str:
    """How what an independent recogniser heard differs from what was spoken; empty if it agrees."""
    said = normal(" ".join(str(one.data["text"]) for one in take.of("spoken"))).split()
    difference = phrases(said, normal(heard).split())
    if not (difference.lost or difference.doubled):
        return ""
    return f"the recording differs from the history: {difference}: {heard!r}"
