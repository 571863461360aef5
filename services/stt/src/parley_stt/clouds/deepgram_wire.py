"""What Deepgram's messages say, in our terms. Pure; times are ms from a connection's first byte."""

from dataclasses import dataclass

from deepgram.listen.v1.types import ListenV1Results
from deepgram.listen.v2.types import ListenV2TurnInfo

_REGIONS = """
    da-DK de-CH en-AU en-GB en-IN en-NZ en-US es-419 fr-CA ko-KR nl-BE pt-BR pt-PT sv-SE th-TH
    zh-CN zh-HK zh-Hans zh-Hant zh-TW
"""
REGIONS = frozenset(_REGIONS.split())
"""The languages of which Nova knows more than the first part."""


class NotUnderstoodError(ValueError):
    """A message of a known type lacks what it must have: the SDK does not check that."""


@dataclass(frozen=True)
class Segment:
    """What v1 heard between two times; the next one begins where a final ends."""

    text: str
    confidence: float
    start_ms: float
    end_ms: float
    is_final: bool
    from_finalize: bool


@dataclass(frozen=True)
class Turn:
    """What Flux has heard of a turn so far. `words`: each with its end, where that is known."""

    event: str
    text: str
    confidence: float
    end_ms: float
    words: tuple[tuple[str, float | None], ...] = ()


def language_of(tag: str) -> str:
    """What Nova calls the language with this BCP 47 tag."""
    return tag if tag in REGIONS else tag.partition("-")[0]


def segment_of(results: ListenV1Results) -> Segment:
    """Raises NotUnderstoodError."""
    try:
        best = results.channel.alternatives[0]
        start, length = float(results.start), float(results.duration)
        return Segment(
            text=best.transcript.strip(),
            confidence=float(best.confidence),
            start_ms=start * 1000,
            end_ms=(start + length) * 1000,
            is_final=bool(results.is_final),
            from_finalize=bool(results.from_finalize),
        )
    except (AttributeError, IndexError, TypeError, ValueError):
        raise NotUnderstoodError from None


def turn_of(info: ListenV2TurnInfo) -> Turn:
    """Raises NotUnderstoodError."""
    try:
        sure = [float(word.confidence) for word in info.words]
        return Turn(
            event=str(info.event),
            text=info.transcript.strip(),
            confidence=sum(sure) / len(sure) if sure else 1.0,
            end_ms=float(info.audio_window_end) * 1000,
            words=tuple(
                (word.word, None if word.end is None else word.end * 1000) for word in info.words
            ),
        )
    except (AttributeError, TypeError, ValueError):
        raise NotUnderstoodError from None
