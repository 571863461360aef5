"""How complete a turn seems in a pause, and so how much silence ends it.

The more complete, the shorter the wait: `endpointing_ms` where the turn is complete,
`endpointing_max_ms` where more is sure to come, half way between where nothing is known.
"""

from parley_stt.unfinished import ends_open, is_answer, is_unfinished

UNFINISHED, UNKNOWN, COMPLETE = 0.0, 0.5, 1.0
"""How complete a turn can be, at the least, by default and at the most."""
DOUBTFUL_END, SURE_END = 0.35, 0.6
"""A transcriber's probability that a sentence ends here: too little to go by, and enough."""
QUESTION_ODDS, OPEN_ODDS = 2.0, 0.1
"""So much likelier it is for what is written as a question: half a one seldom is. So much less for
what ends in a comma or the like."""

FULL_STOPS = (".", "?", "!", "\u3002", "\uff1f", "\uff01", "\u061f", "\u0964")
"""Also those of Chinese and Japanese, Arabic, Hindi."""


def completeness(
    text: str, language: str, *, punctuates: bool, sentence_end: float | None
) -> float:
    """How complete the turn is that has `text` so far, from 0 to 1.

    `punctuates`: the text has a full stop where a sentence ends, and none elsewhere.
    `sentence_end`: the transcriber's probability that one ends here, where it gives that.
    """
    if not any(map(str.isalnum, text)):
        return UNKNOWN
    if is_english(language) and is_unfinished(text):
        return UNFINISHED
    is_open = ends_open(text)
    if is_open and sentence_end is None:
        return UNFINISHED
    if is_english(language) and is_answer(text) and not is_open:
        return COMPLETE
    if sentence_end is not None:
        is_question = text.rstrip().endswith("?")
        odds = OPEN_ODDS if is_open else QUESTION_ODDS if is_question else 1.0
        likely = odds * sentence_end / (1 + (odds - 1) * sentence_end)
        certainty = (likely - DOUBTFUL_END) / (SURE_END - DOUBTFUL_END)
        return min(COMPLETE, max(UNFINISHED, certainty))
    if punctuates:
        return COMPLETE if text.rstrip().endswith(FULL_STOPS) else UNFINISHED
    return UNKNOWN


def is_english(language: str) -> bool:
    """Whether a BCP 47 tag is some English."""
    return language.lower().partition("-")[0] == "en"


def silence_ms(complete: float, endpointing_ms: float, endpointing_max_ms: float) -> float:
    """So much silence ends a turn that is so complete."""
    longest = max(endpointing_ms, endpointing_max_ms)
    return longest - complete * (longest - endpointing_ms)
