"""The agents that are called, and what they say."""

from collections.abc import Iterable

from benchmarks.turns.cases import Case, Kind
from support.engine import reciting

SHORT = "All right."
QUESTION = "Would you like to hear more?"
REPLY = (
    "The museum in the old harbour opens every morning at nine. On Mondays the upper floor is "
    "closed because the paintings are being cleaned. Children under the age of twelve do not "
    "have to pay anything. There is a small garden behind the main building with a view of the "
    "river. If you take the green bus from the station you will be there in ten minutes. The "
    "driver sells tickets, but he cannot change large notes. In winter the first room on the left "
    "shows maps that sailors drew by hand three hundred years ago. One of them has an island on "
    "it that nobody has ever found. Next to the stairs you can see the model of a lighthouse, "
    "built by a teacher and forty pupils out of matches. The coffee shop on the ground floor "
    "serves soup until half past two and cake for the rest of the afternoon. A guide walks "
    "through the house with visitors at eleven and again at four, and she knows a story about "
    "every single picture. Please leave bags and umbrellas with the man at the door. Nobody may "
    "touch the ropes, the sails or the old brass instruments, however much they shine. Before you "
    "go home, have a look at the book where guests from more than sixty countries have written "
    "down what they liked best."
)
REPLY_SECONDS = 60.0
"""How long the reply takes at least."""

Profile = dict[str, object]
TRANSCRIBERS: dict[str, Profile] = {"moonshine": {}}
"""Those who are compared, and what stands in a profile for them."""


def profiles(transcribers: Iterable[str]) -> dict[str, Profile]:
    """All agents of a run, by their names."""
    replies: dict[str, Profile] = {
        "model": {},
        "short": reciting(SHORT),
        "question": reciting(QUESTION),
        "long": reciting(REPLY),
        "untimed": reciting(REPLY, voiceProvider="untimed"),
    }
    return {
        f"{name}-{transcriber}": {**reply, **TRANSCRIBERS[transcriber]}
        for transcriber in transcribers
        for name, reply in replies.items()
    }


def agent_for(case: Case, transcriber: str) -> str:
    """Who is called for a case: the real language model where the response is timed."""
    match case.kind:
        case Kind.CLEAR:
            name = "model"
        case Kind.PAUSE:
            name = "short"
        case Kind.ANSWER:
            name = "question"
        case _:
            name = "long" if case.timed else "untimed"
    return f"{name}-{transcriber}"
