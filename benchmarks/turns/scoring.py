"""What an observation is worth, by the definitions of tau-voice (arXiv 2603.13686).

Response latency L_R, yield latency L_Y, share yielded to R_Y within 2 s, agent interruptions I_A
(premature answers), selectivity for backchannels S_BC, vocal tics S_VT and speech that is not
directed at the bot S_ND. Pure functions.
"""

from dataclasses import dataclass

from benchmarks.chaos import books
from benchmarks.turns.cases import OVERLAPPING, Kind
from benchmarks.turns.observed import Observation, Reply
from support.words import length_error, normal

YIELD_MS = 2000.0
"""An interruption that the bot has not yielded to by then is not yielded to."""
PAUSE_MS = 600.0
"""A tentative pause up to this is keeping the turn."""
ANSWER_MS = 5000.0
"""An answer that begins later than this after the caller's end is none."""
WORDS_WRONG = 1
"""So many words may what is claimed as heard be longer or shorter than the recording."""


@dataclass(frozen=True)
class Score:
    """What came of one case. None where it does not apply."""

    kind: Kind
    good: bool
    why: str = ""
    """Why it is not good."""
    premature: bool = False
    """Whether the bot was heard inside the caller's turn."""
    response_delivered_ms: float | None = None
    """From the caller's end to the first audio of the answer that arrived."""
    response_ms: float | None = None
    """The same to the first that was played."""
    yield_ms: float | None = None
    """From the caller's onset to the last audio delivered of the turn that it cut off."""
    yield_played_ms: float | None = None
    """The same to the last that was played."""
    pauses_ms: tuple[float, ...] = ()
    """How long the ear had nothing in tentative pauses after which the bot went on."""
    answered: bool | None = None
    """Whether an answer to an interruption began while it was watched."""
    words_wrong: int | None = None
    """By how many words what is claimed as heard is longer than the recording."""


def score(seen: Observation) -> Score | None:
    """The score; None where the case could not be made."""
    if seen.lost:
        return None
    if seen.case.kind not in OVERLAPPING:
        return _answered(seen)
    if seen.case.kind is Kind.INTERRUPTION:
        return _yielded(seen)
    return _kept(seen)


def _answered(seen: Observation) -> Score:
    """Of a turn of the caller's: an answer after its end, and none before."""
    kind = seen.case.kind
    early = [one for one in seen.frames if seen.onset < one.at < seen.end]
    sounded = [one for one in seen.played if one.end > seen.end]
    after = [one for one in seen.frames if one.at >= seen.end]
    if early:
        into = (early[0].at - seen.onset) * 1000
        return Score(kind, False, f"answered {into:.0f} ms into the turn", premature=True)
    if not after or not sounded:
        return Score(kind, False, "no answer")
    delivered = (after[0].at - seen.end) * 1000
    played = (max(sounded[0].begin, seen.end) - seen.end) * 1000
    good = delivered <= ANSWER_MS
    why = "" if good else f"answered after {delivered:.0f} ms"
    return Score(kind, good, why, response_delivered_ms=delivered, response_ms=played)


def _yielded(seen: Observation) -> Score:
    """Of an interruption: the turn is cut off, and its last audio came soon after the onset."""
    kind, turn = seen.case.kind, seen.turn
    if seen.first("interrupted", turn=turn) is None:
        return Score(kind, False, "not yielded to", pauses_ms=pauses(seen))
    delivered = max([one.at for one in seen.frames if one.turn == turn], default=seen.onset)
    played = max([one.end for one in seen.played if one.turn == turn], default=seen.onset)
    ms, played_ms = (delivered - seen.onset) * 1000, (played - seen.onset) * 1000
    good = ms <= YIELD_MS
    return Score(
        kind,
        good,
        "" if good else f"yielded only after {ms:.0f} ms",
        yield_ms=ms,
        yield_played_ms=played_ms,
        pauses_ms=pauses(seen),
        answered=any(one.turn > turn for one in seen.frames),
        words_wrong=None if seen.reply is None else words_wrong(seen.reply),
    )


def _kept(seen: Observation) -> Score:
    """Of anything else while the bot speaks: the turn goes on, and no pause is too long."""
    kind, turn = seen.case.kind, seen.turn
    found = pauses(seen)
    cut_off = seen.first("interrupted", turn=turn)
    if cut_off is not None:
        why = f"cut off after {(cut_off.at - seen.onset) * 1000:.0f} ms"
    elif silence_ms(seen) > PAUSE_MS:
        why = f"silent for {silence_ms(seen):.0f} ms"
    else:
        why = ""
    return Score(kind, not why, why, pauses_ms=found)


def pauses(seen: Observation) -> tuple[float, ...]:
    """How long (ms) the ear had nothing in each tentative pause after which the turn went on."""
    spans = [one for one in seen.played if one.turn == seen.turn]
    found = []
    for paused in seen.of("paused", turn=seen.turn):
        before = [one.end for one in spans if one.begin < paused.at]
        after = [one.begin for one in spans if one.begin >= paused.at]
        if before and after:
            found.append((after[0] - min(before[-1], paused.at)) * 1000)
    return tuple(found)


def silence_ms(seen: Observation) -> float:
    """The longest time (ms) from the onset on in which the turn was not heard."""
    spans = [one for one in seen.played if one.turn == seen.turn and one.end > seen.onset]
    edges = [seen.onset, *(edge for one in spans for edge in (one.begin, one.end))]
    edges.append(max(seen.watched_to, edges[-1]))
    gaps = zip(edges[::2], edges[1::2], strict=True)
    return max((end - begin) * 1000 for begin, end in gaps)


def words_wrong(reply: Reply) -> int:
    """By how many words what is claimed as heard is longer (or shorter) than the recording."""
    return length_error(reply.claimed, reply.script, reply.heard)


def words_doubled(reply: Reply) -> int:
    """How many words the recording has that are not in what is claimed: said twice."""
    said, heard = normal(reply.claimed).split(), normal(reply.heard).split()
    return books.compare(said, heard).doubled
