"""How complete a turn seems in a pause, and so how much silence ends it.

The more complete, the shorter the wait: `endpointing_ms` where the turn is complete,
`endpointing_max_ms` where more is sure to come, half way between where nothing is known.
"""

from parley_stt.unfinished import is_answer, is_unfinished

UNFINISHED, UNKNOWN, COMPLETE = 0.0, 0.5, 1.0
"""How complete a turn can be, at the least, by default and at the most."""
DOUBTFUL_END, SURE_END = 0.83, 0.945
"""A transcriber's probability that a sentence ends here: too little to go by, and enough. With
0.3 s of silence Moonshine is that sure at most ends of sentences, and in few pauses inside them.
"""

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
    if is_english(language):
        if is_unfinished(text):
            return UNFINISHED
        if is_answer(text):
            return COMPLETE
    if sentence_end is not None:
        certainty = (sentence_end - DOUBTFUL_END) / (SURE_END - DOUBTFUL_END)
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
