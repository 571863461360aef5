"""Whether what a caller has said so far calls for more, or for nothing more: in English, by words.

Only what is nearly sure: a complete turn that is taken for half a one is answered late.
"""

import re


def _words(*lists: str) -> frozenset[str]:
    return frozenset(" ".join(lists).split())


_JOINING = """
    a an the my your his its our their every each of to in on at for from with into onto
    during within without against toward towards upon between among as than like via per
    and or but so because cause if while although unless until whether nor plus
    which whose what how when where any some another other
"""
_SUBJECTS = """
    i he she we they i'm you're we're they're he's she's it's there's here's
    i'll you'll he'll she'll we'll they'll it'll i'd you'd he'd she'd we'd they'd
    i've you've we've they've
"""
_VERBS = """
    is are was were be been being am has had does could should may might must shall gonna gotta
    wanna let let's isn't aren't wasn't weren't want wants need needs wanted having getting going
    making taking trying using looking saying giving enter give bring put get says asked
"""
_FILLERS = "um uh er erm hmm uhm ah very quite mister mr mrs ms"

CALL_FOR_MORE = _words(_JOINING, _SUBJECTS, _VERBS, _FILLERS)
"""After these words more is to come ..."""
QUESTION_WORDS = _words(
    "what which who whom whose where when why how what's who's where's when's how's"
)
MAY_END_QUESTIONS = _words("of to in on at for from with into like he she we they", _VERBS)
"""... but not after these in a question, or what sounds like one: "I know what it is"."""
WHOLE_ALONE = _words("what how when where which so hmm ah")
"""... nor after these where nothing else is said ..."""
WHOLE_ENDS = (
    " think so", " hope so", " guess so", " believe so", " suppose so", " or so", " go on",
    " come on", " hold on", " hang on", " move on", " later on", " log in", " sign in", " check in",
    " come in", " all i need", " all i want", " i am", " it is", " they are", " we are", " it was",
    " it does", " he is", " she is",
)  # fmt: skip
"""... nor after these."""

_DIGITS = _words("oh zero one two three four five six seven eight nine double triple")
_BEFORE_NUMBERS = _words("is it's number code have")
WHOLE_NUMBER_DIGITS = 10
"""A number that is dictated is expected to have so many digits."""
ANSWERS = _words(
    "yes yeah yep yup no nope nah okay ok sure right correct exactly absolutely definitely perfect",
    "please thanks thank you bye goodbye hello hi stop cancel nothing indeed of course good great",
)
"""What is said in these words alone is a whole turn, but for "of" and "you" alone."""
_OPEN_ENDS = (",", "-", "\u2013", "\u2014", "...", "\u2026", ":", ";", "(")


def is_unfinished(text: str) -> bool:
    """Whether more is to be expected after `text`: half a phrase, a filler, half a number."""
    words = _words_of(_last_sentence(text))
    return bool(words) and (_calls_for_more(words) or _is_dictating(words))


def ends_open(text: str) -> bool:
    """Whether a mark at the end says that more is to come."""
    return text.rstrip().endswith(_OPEN_ENDS)


def is_answer(text: str) -> bool:
    """Whether `text` is no more than a short answer, a greeting or thanks."""
    words = _words_of(text)
    return bool(words) and len(words) <= 4 and words[-1] != "of" and ANSWERS.issuperset(words)


def _words_of(text: str) -> list[str]:
    return re.findall(r"[\w']+", text.lower().replace("\u2019", "'"))


def _last_sentence(text: str) -> str:
    return re.split(r"[.?!]\s+", text.rstrip().rstrip(".?!"))[-1]


def _calls_for_more(words: list[str]) -> bool:
    last = words[-1]
    if last not in CALL_FOR_MORE or " ".join(["", *words]).endswith(WHOLE_ENDS):
        return False
    if len(words) == 1:
        return last not in WHOLE_ALONE
    asks = not QUESTION_WORDS.isdisjoint(words[:-1])
    return not (asks and last in MAY_END_QUESTIONS)


def _is_dictating(words: list[str]) -> bool:
    pieces: list[str] = []
    for word in reversed(words):
        if not (word.isdecimal() or word in _DIGITS):
            break
        pieces.append(word)
    digits = sum(len(piece) if piece.isdecimal() else 1 for piece in pieces)
    if len(pieces) == 1:
        before = words[-2] if len(words) > 1 else "number"
        return before in _BEFORE_NUMBERS
    return len(pieces) >= 2 and digits < WHOLE_NUMBER_DIGITS
