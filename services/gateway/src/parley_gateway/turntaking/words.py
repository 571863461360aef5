"""The decider `words`: words that are more than a listener's nod interrupt.

A listener's "mhm", a cough and the bot's own echo do not. A nod that follows the bot's question
is an answer. Recognisers find words in every cough, so a little voice has to be sure of its words,
unless they are of the kind that people stop each other with.
"""

import re

from parley.deciders import Decider, Evidence, Verdict
from parley.policies import Interruption
from parley_gateway.turntaking.lexicon import backchannels, commands

YOUNG_MS = 600.0
"""What is recognised of less voice than this, before it ends, is half a word ..."""
NOD_MS = 350.0
"""... or a nod, which is believed from here on: the bot must not be silent for long."""
SURE = (0.6, 0.45, 0.4)
"""The confidence that one word needs, and two, and more different ones. Coughs reach 0.5 with one,
noise seldom 0.4 with several; clear words have 0.7, and a strong accent 0.4."""
SURE_OF_ONE_COMMAND = 0.5
"""... if people stop each other with it. A hummed "mm-hmm" may be written as "no"."""
BEGINNING_MS = 250.0
"""Doubtful words in less voice than this may be the beginning of more: "Dude, ..." """
ECHO_WORDS = 3
"""So many words of the caller's in a row that the bot has just said are its echo ..."""
RECENT_WORDS = 6
"""... and fewer that are among its last, unless it has asked something."""


class WordsDecider(Decider):
    """Decides by the words, and by whether there are any."""

    def __init__(self, policy: Interruption, language: str) -> None:
        super().__init__(policy, language)
        nods = backchannels(language) if policy.backchannels is None else policy.backchannels
        self._nods = Phrases(nods)
        self._commands = Phrases(commands(language))

    def decide(self, evidence: Evidence) -> Verdict:
        """See Decider."""
        if self.policy.min_words == 0:
            return Verdict.INTERRUPT
        said = words(evidence.text)
        if evidence.is_whole or evidence.recognised_ms >= YOUNG_MS:
            if said and self._means_it(said, evidence):
                return Verdict.INTERRUPT if len(said) >= self.policy.min_words else Verdict.WAIT
            if evidence.is_whole:
                begins = said and self._may_begin_more(said, evidence)
                return Verdict.WAIT if begins else Verdict.RESUME
        # A nod that takes long is still a nod. Should more follow ("yeah, but ..."), that is heard.
        nods = said and not evidence.answers_question and self._nods.make_up(said)
        return Verdict.RESUME if nods and evidence.recognised_ms >= NOD_MS else Verdict.WAIT

    def _may_begin_more(self, said: list[str], evidence: Evidence) -> bool:
        if evidence.thinking or evidence.voiced_ms >= BEGINNING_MS:
            return False
        return not (self._nods.make_up(said) or _is_echo(said, evidence))

    def _means_it(self, said: list[str], evidence: Evidence) -> bool:
        if _is_echo(said, evidence):
            return False
        if self._nods.make_up(said):
            return evidence.answers_question
        if self._commands.begin(said):
            return len(said) > 1 or evidence.confidence >= SURE_OF_ONE_COMMAND
        return evidence.confidence >= SURE[min(len(set(said)), len(SURE)) - 1]


class Phrases:
    """Some phrases, to be found in what was said."""

    def __init__(self, phrases: list[str] | tuple[str, ...]) -> None:
        self._phrases = sorted(filter(None, map(words, phrases)), key=len, reverse=True)

    def begin(self, said: list[str]) -> int:
        """How many words the longest phrase has with which `said` begins; 0: none."""
        return next((len(one) for one in self._phrases if said[: len(one)] == one), 0)

    def make_up(self, said: list[str]) -> bool:
        """Whether all that was said is such phrases."""
        while said and (length := self.begin(said)):
            said = said[length:]
        return not said


def words(text: str) -> list[str]:
    """The words of a text, without case and punctuation."""
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", text.casefold().replace("\u2019", "'"))


def _is_echo(said: list[str], evidence: Evidence) -> bool:
    """Whether the bot has just said the very same."""
    bot = words(evidence.bot_text)
    if len(said) < ECHO_WORDS:
        bot = [] if evidence.answers_question else bot[-RECENT_WORDS:]
    return any(bot[at : at + len(said)] == said for at in range(len(bot) - len(said) + 1))
