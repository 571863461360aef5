"""Google's Speech-to-Text v2, as far as it is pure: what is asked for, and what came."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from google.cloud.speech_v2.types import cloud_speech as v2

from parley.audio import HEARING_RATE

LARGEST_BYTES = 15_360
"""A message has no more audio than 15 KB."""

_Features = v2.StreamingRecognitionFeatures
SENSITIVITIES = {
    "standard": _Features.EndpointingSensitivity.ENDPOINTING_SENSITIVITY_STANDARD,
    "short": _Features.EndpointingSensitivity.ENDPOINTING_SENSITIVITY_SHORT,
    "supershort": _Features.EndpointingSensitivity.ENDPOINTING_SENSITIVITY_SUPERSHORT,
}


def host(location: str) -> str:
    """Where a location's Speech is."""
    return "speech.googleapis.com" if location == "global" else f"{location}-speech.googleapis.com"


def opening(
    recognizer: str, model: str, language: str, phrases: Sequence[str], sensitivity: str
) -> v2.StreamingRecognizeRequest:
    """The first message of a stream."""
    config = v2.RecognitionConfig(
        explicit_decoding_config=v2.ExplicitDecodingConfig(
            encoding=v2.ExplicitDecodingConfig.AudioEncoding.LINEAR16,
            sample_rate_hertz=HEARING_RATE,
            audio_channel_count=1,
        ),
        model=model,
        language_codes=[language],
        features=v2.RecognitionFeatures(enable_automatic_punctuation=True),
        adaptation=_adaptation(phrases),
    )
    features = _Features(
        interim_results=True,
        endpointing_sensitivity=SENSITIVITIES[sensitivity],
    )
    streaming = v2.StreamingRecognitionConfig(config=config, streaming_features=features)
    return v2.StreamingRecognizeRequest(recognizer=recognizer, streaming_config=streaming)


def _adaptation(phrases: Sequence[str]) -> v2.SpeechAdaptation | None:
    if not phrases:
        return None
    inline = v2.PhraseSet(phrases=[v2.PhraseSet.Phrase(value=phrase) for phrase in phrases])
    given = v2.SpeechAdaptation.AdaptationPhraseSet(inline_phrase_set=inline)
    return v2.SpeechAdaptation(phrase_sets=[given])


@dataclass(frozen=True)
class Words:
    """Words that were recognised; `end_ms` counts from the stream's first byte, where it is said.

    `confidence` is from 0 to 1, and 1 where it is not said.
    """

    text: str
    end_ms: float | None = None
    confidence: float = 1.0


def finals(response: v2.StreamingRecognizeResponse) -> list[Words]:
    """What stays."""
    return [_words([result]) for result in response.results if result.is_final]


def interim(response: v2.StreamingRecognizeResponse) -> Words | None:
    """What does not: it may be in several parts, which belong together."""
    parts = [result for result in response.results if not result.is_final]
    return _words(parts) if parts else None


def _words(results: Sequence[Any]) -> Words:
    best = [result.alternatives[0] for result in results if result.alternatives]
    ends = [_ms(result.result_end_offset) for result in results]
    said = [each.confidence for each in best if each.confidence > 0]
    return Words(
        text="".join(each.transcript for each in best).strip(),
        end_ms=max(ends) or None,
        confidence=min(sum(said) / len(said), 1.0) if said else 1.0,
    )


def _ms(offset: timedelta) -> float:
    return offset / timedelta(milliseconds=1)
