"""Hibari: the bundled English voice, run by onnxruntime, with the times of its words.

Its own API gives no word times, but its graph has them: how long each phoneme lasts. The
engine makes that tensor an output of the graph and keeps track of which phonemes are whose.
"""

import hashlib
import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from parley.messages import Retry
from parley.providers import ProviderError
from parley_tts.edges import Samples, tail_after, trim
from parley_tts.loudness import amplified
from parley_tts.pieces import Piece, cut
from parley_tts.word_times import SpokenWord

SAMPLE_RATE = 24_000
"""Hz."""
WEIGHTS = {
    "hibari.onnx": "5f70741d4e900f4e85d0037498736cc1b3e1b9a63a13546a5da1e63abf4fccd8",
    "oov.onnx": "d3cfd8122c5f172a98c8de38268bf1213ee09f2c2ae4df6e055fc6532590fe76",
}
"""The voice, and the reader of unknown words, with their sha256."""
INSTALL = "install hibari-tts[fast]==0.2.1"

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
        assets = _checked_assets()
        from hibari import Hibari, dsp
        from hibari.g2p import G2P
        from hibari.g2p.normalize import normalize
        from hibari.g2p.oov import OOV

        oov = assets / "oov.onnx"
        self._g2p = G2P(oov=OOV(str(oov), session=_session(oov.read_bytes())))
        self._normalize = normalize
        self._split_sentences = Hibari.split_sentences
        self._synth = dsp.synth
        self._ids: dict[str, int] = json.loads((assets / "vocab.json").read_text("utf-8"))
        model = (assets / "hibari.onnx").read_bytes()
        self._voice = _session(with_output(model, DURATIONS))

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


def _checked_assets() -> Path:
    """Where the package keeps its weights. Raises ProviderError unless they are the known ones."""
    package = find_spec("hibari")
    if package is None or package.origin is None or find_spec("onnxruntime") is None:
        raise ProviderError(f"the voice hibari is not installed: {INSTALL}", Retry.NOW)
    assets = Path(package.origin).parent / "assets"
    for name, wanted in WEIGHTS.items():
        try:
            with (assets / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            found = ""
        if found != wanted:
            what = "missing" if not found else "not the file that this version is made for"
            raise ProviderError(f"hibari's {name} is {what}: {INSTALL}", Retry.NOW)
    return assets


def _session(model: bytes) -> Any:
    """A session of one thread that never spins: workers share their cores."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
