"""Google's Text-to-Speech, as far as it is pure: which voice does what, SSML, and its marks."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

from google.cloud.texttospeech_v1.types import cloud_tts as v1
from google.cloud.texttospeech_v1beta1.types import cloud_tts as v1beta1

from parley.marks import Mark

SAMPLE_RATE = 24_000
"""What all voices speak at (Hz)."""
_CLASSIC = re.compile(r"-(standard|wavenet|neural2|news|polyglot|studio)-", re.IGNORECASE)
_FORBIDDEN = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML has no way to say."""


def is_classic(voice: str) -> bool:
    """Whether a voice takes SSML with marks. The others, Chirp 3 HD, stream, and tell no times."""
    return _CLASSIC.search(voice) is not None


def language_of(voice: str, language: str) -> str:
    """The language that a voice's name begins with: `en-US-Chirp3-HD-Charon` speaks en-US."""
    named = re.match(r"[a-z]{2,3}-[A-Z]{2}(?=-)", voice)
    return named.group() if named else language


def streaming_config(
    voice: str, language: str, rate: float | None
) -> v1.StreamingSynthesizeRequest:
    """The first message of a stream."""
    audio = v1.StreamingAudioConfig(
        audio_encoding=v1.AudioEncoding.PCM, sample_rate_hertz=SAMPLE_RATE, speaking_rate=rate
    )
    spoken_by = v1.VoiceSelectionParams(name=voice, language_code=language_of(voice, language))
    config = v1.StreamingSynthesizeConfig(voice=spoken_by, streaming_audio_config=audio)
    return v1.StreamingSynthesizeRequest(streaming_config=config)


def streaming_text(text: str) -> v1.StreamingSynthesizeRequest:
    """What is to be said in a stream."""
    return v1.StreamingSynthesizeRequest(input=v1.StreamingSynthesisInput(text=text))


def request(
    ssml: str, voice: str, language: str, rate: float | None
) -> v1beta1.SynthesizeSpeechRequest:
    """What asks for speech with the times of its marks. v1 has none: hence v1beta1."""
    spoken_by = v1beta1.VoiceSelectionParams(name=voice, language_code=language_of(voice, language))
    return v1beta1.SynthesizeSpeechRequest(
        input=v1beta1.SynthesisInput(ssml=ssml),
        voice=spoken_by,
        audio_config=v1beta1.AudioConfig(
            audio_encoding=v1beta1.AudioEncoding.PCM,
            sample_rate_hertz=SAMPLE_RATE,
            speaking_rate=rate,
        ),
        enable_time_pointing=[v1beta1.SynthesizeSpeechRequest.TimepointType.SSML_MARK],
    )


class Placed(NamedTuple):
    """A word, and the index of its first character in the message."""

    word: str
    offset: int


def words_of(message: str) -> list[Placed]:
    """The message's words: what stands between white space."""
    return [Placed(match.group(), match.start()) for match in re.finditer(r"\S+", message)]


def marked(message: str) -> str:
    """The message as SSML: before each word a mark, named by its number, and one at the end."""
    words = words_of(message)
    parts = [
        f'<mark name="{number}"/>{escape(_FORBIDDEN.sub(" ", word.word))}'
        for number, word in enumerate(words)
    ]
    return f'<speak>{" ".join(parts)} <mark name="{len(words)}"/></speak>'


def marks_from(
    message: str, timepoints: Iterable[tuple[str, float]], duration_ms: float
) -> list[Mark]:
    """The words with their times; a timepoint is a mark's name, and seconds.

    A word lasts until the next that has a time. Google leaves out marks that it cannot place.
    """
    words = words_of(message)
    starts = [
        (int(name), min(max(seconds * 1000, 0.0), duration_ms))
        for name, seconds in timepoints
        if name.isdecimal() and int(name) <= len(words)
    ]
    ends: Sequence[float] = [ms for _, ms in starts[1:]] + [duration_ms]
    return [
        Mark(words[number].word, words[number].offset, ms, max(end, ms))
        for (number, ms), end in zip(starts, ends, strict=True)
        if number < len(words)
    ]
