"""Hibari: the bundled English voice, run by onnxruntime, with the times of its words.

Its own API gives no word times, but its graph has them: how long each phoneme lasts. The
engine makes that tensor an output of the graph and keeps track of which phonemes are whose.
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from parley.onnx import open_session
from parley.weights import WeightFile
from parley_tts.edges import Samples, tail_after, trim
from parley_tts.loudness import amplified
from parley_tts.pieces import Piece, cut
from parley_tts.word_times import SpokenWord

SAMPLE_RATE = 24_000
"""Hz."""
INSTALL = "hibari-tts[fast]==0.2.1"
VOICE = WeightFile(
    "hibari",
    INSTALL,
    "assets/hibari.onnx",
    "5f70741d4e900f4e85d0037498736cc1b3e1b9a63a13546a5da1e63abf4fccd8",
)
UNKNOWN_WORDS = WeightFile(
    "hibari",
    INSTALL,
    "assets/oov.onnx",
    "d3cfd8122c5f172a98c8de38268bf1213ee09f2c2ae4df6e055fc6532590fe76",
)
"""How words are read that are not in the lexicon."""

LONGEST_PIECE = 300
"""Characters spoken in one go. The voice was made for up to 400 phonemes, about as many letters."""
GAIN = 1.5
"""Brings the voice from about -27 to -23 dBFS."""
MS_PER_DURATION = 25.0
"""The unit of the duration tensor."""
DURATIONS = "/Clip_output_0"
SEED = 0
"""Of the breath noise: the same text gives the same audio."""
PAD = 0
"""The id before the first and after the last phoneme."""
SILENT_PHONEMES = frozenset(' ;:,.!?—…"()“”')


@dataclass(frozen=True)
class Spoken:
    """A piece of text as audio at SAMPLE_RATE, and when each of its spoken words is in it."""

    samples: Samples
    words: list[SpokenWord]


class HibariEngine:
    """The loaded voice. Its methods block; they may be called from several threads."""

    def __init__(self) -> None:
        voice, unknown_words = VOICE.verified(), UNKNOWN_WORDS.verified()
        from hibari import Hibari, dsp
        from hibari.g2p import G2P
        from hibari.g2p.normalize import normalize
        from hibari.g2p.oov import OOV

        self._g2p = G2P(oov=OOV(str(unknown_words), session=open_session(unknown_words)))
        self._normalize = normalize
        self._split_sentences = Hibari.split_sentences
        self._synth = dsp.synth
        self._ids: dict[str, int] = json.loads(voice.with_name("vocab.json").read_text("utf-8"))
        self._voice = open_session(with_output(voice.read_bytes(), DURATIONS))

    def pieces(self, message: str) -> list[Piece]:
        """The message's sentences, long ones divided."""
        return cut(message, self._split_sentences(message), LONGEST_PIECE)

    def say(self, text: str, speed: float) -> Spoken | None:
        """Speak one piece; None where it has no sound: punctuation, emoji."""
        tokens = self._g2p.phonemize_tokens(self._g2p.tokenize(self._normalize(text)))
        ids, spans = self._phonemes(tokens)
        if not spans:
            return None
        inputs = {"ids": np.array([ids], np.int64), "speed": np.array([speed], np.float32)}
        *spectrum, durations = self._voice.run(None, inputs)
        audio = self._synth(*(part[0] for part in spectrum), np.random.default_rng(SEED))
        ends = np.cumsum(durations.reshape(-1)) * MS_PER_DURATION
        trimmed = trim(amplified(audio, GAIN), SAMPLE_RATE, tail_after(text))

        def moved(ms: float) -> float:
            inside = max(trimmed.speech_start_ms, ms - trimmed.cut_ms)
            return min(inside, trimmed.speech_end_ms)

        words = [
            SpokenWord(word, moved(float(ends[first - 1])), moved(float(ends[last - 1])))
            for word, first, last in spans
        ]
        words[0] = words[0]._replace(start_ms=trimmed.speech_start_ms)
        words[-1] = words[-1]._replace(end_ms=trimmed.speech_end_ms)
        return Spoken(trimmed.samples, words)

    def _phonemes(self, tokens: list[Any]) -> tuple[list[int], list[tuple[str, int, int]]]:
        """The model's input, and which part of it each word with a sound is.

        A word is what stands between white space: tokens split it at its punctuation.
        """
        ids, spans = [PAD], []
        word, first, last = "", 0, 0
        for token in tokens:
            phonemes = [c for c in token.phonemes or "" if c in self._ids]
            word += token.text
            if not SILENT_PHONEMES.issuperset(phonemes):
                first = first or len(ids)
                last = len(ids) + len(phonemes)
            ids += [self._ids[c] for c in phonemes]
            if token.whitespace or token is tokens[-1]:
                if first:
                    spans.append((word, first, last))
                word, first, last = "", 0, 0
                if len(ids) > 1 and token is not tokens[-1]:
                    ids.append(self._ids[" "])
        return [*ids, PAD], spans


def with_output(model: bytes, tensor: str) -> bytes:
    """The ONNX model with one more output: the float tensor of that name in its graph.

    Protobuf merges a message field that comes twice, so a second `graph` that holds nothing
    but the output, appended to the file, adds it.
    """
    name = tensor.encode()
    value = b"\x0a" + _varint(len(name)) + name + b"\x12\x04\x0a\x02\x08\x01"
    graph = b"\x62" + _varint(len(value)) + value
    return model + b"\x3a" + _varint(len(graph)) + graph


def _varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])
