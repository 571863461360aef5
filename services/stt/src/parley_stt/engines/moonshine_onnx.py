"""Moonshine Tiny, a speech recogniser for English, run directly by onnxruntime.

An encoder hears the whole utterance; a decoder then writes it token by token, each time
taking the likeliest. Sessions are shared by all threads: a run keeps its own state.
"""

import time
from math import ceil, exp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parley.audio import HEARING_RATE
from parley.onnx import open_session
from parley.weights import WeightFile
from parley_stt.engines.recognition import Recognition
from parley_stt.engines.sentence_end import SentenceEnd
from parley_stt.engines.tokens import Vocabulary

LAYERS, HEADS, HEAD_SIZE = 6, 8, 36
START, END = 1, 2
MIN_SAMPLES = HEARING_RATE // 5
"""Anything shorter is padded with silence to 200 ms."""
TOKENS_PER_SECOND = 6.5
"""Nobody speaks more; a decoder that goes on has lost itself in a loop."""

_PACKAGE = {"package": "moonshine_voice", "requirement": "moonshine-voice==0.1.0"}
ENCODER = WeightFile(
    **_PACKAGE,
    path="assets/tiny-en/encoder_model.ort",
    sha256="94e90a4654fc45cdfedb77c4c08e1739f48862998e58fada384b25118134f221",
)
DECODER = WeightFile(
    **_PACKAGE,
    path="assets/tiny-en/decoder_model_merged.ort",
    sha256="cf524c4862d36e9e5ab032eddc73637efd822d70e868ac575cf1a46e1e4708a0",
)
TOKENIZER = WeightFile(
    **_PACKAGE,
    path="assets/tiny-en/tokenizer.bin",
    sha256="6884b35fd6377d4c4d32336a0bc152f36b64d1e45b6503683cdc238250a8472d",
)

Tensors = dict[str, NDArray[Any]]


class Moonshine:
    """The model, loaded. Raises ProviderError where its weights are not installed."""

    def __init__(self) -> None:
        self._encoder = open_session(ENCODER.verified())
        self._decoder = open_session(DECODER.verified())
        self._vocabulary = Vocabulary(TOKENIZER.verified().read_bytes())
        self._marks = frozenset(self._vocabulary.tokens(".?!") + self._vocabulary.tokens(",;:-"))
        self._sentence_end = SentenceEnd()
        self._outputs = [output.name for output in self._decoder.get_outputs()]

    def recognise(self, samples: NDArray[np.float32]) -> Recognition:
        """What is said in `samples`, mono at 16 kHz. Takes a few ms for each 100 ms of audio.

        The confidence is the geometric mean of the tokens' probabilities.
        """
        began = time.perf_counter()
        tokens, log_probability, last = self.decode(samples)
        confidence = exp(log_probability / len(tokens)) if tokens else 0.0
        took_ms = (time.perf_counter() - began) * 1000
        text = self._vocabulary.decode(tokens)
        return Recognition(text, confidence, took_ms, self._sentence_end.probability(last))

    def decode(self, samples: NDArray[np.float32]) -> tuple[list[int], float, NDArray[np.float32]]:
        """The tokens, their log-probability, and the logits after the last word."""
        limit = ceil(len(samples) / HEARING_RATE * TOKENS_PER_SECOND) + 2
        encoded = self._encode(samples)
        cache = _empty_cache()
        tokens: list[int] = []
        total = 0.0
        last = np.zeros(0, np.float32)
        token = START
        for step in range(limit):
            logits = self._step(token, step, encoded, cache)
            token = int(logits.argmax())
            if token != END or not tokens or tokens[-1] not in self._marks:
                last = logits
            # To the likeliest token.
            odds = np.exp(logits - logits[token])
            if token == END:
                break
            tokens.append(token)
            total -= float(np.log(odds.sum()))
        return tokens, total, last

    def _encode(self, samples: NDArray[np.float32]) -> Tensors:
        missing = max(0, MIN_SAMPLES - len(samples))
        audio = np.pad(samples, (0, missing))[None]
        mask = np.ones(audio.shape, np.int64)
        (states,) = self._encoder.run(None, {"input_values": audio, "attention_mask": mask})
        # The decoder takes the mask at the audio's rate and thins it out itself.
        return {"encoder_hidden_states": states, "encoder_attention_mask": mask}

    def _step(self, token: int, step: int, encoded: Tensors, cache: Tensors) -> NDArray[np.float32]:
        inputs = {
            "input_ids": np.array([[token]], np.int64),
            "use_cache_branch": np.array([step > 0]),
            **encoded,
            **cache,
        }
        outputs = dict(zip(self._outputs, self._decoder.run(None, inputs), strict=True))
        for name in cache:
            # Keys and values of the encoder come from the first step alone.
            if step == 0 or ".decoder." in name:
                cache[name] = outputs[name.replace("past_key_values", "present")]
        logits: NDArray[np.float32] = outputs["logits"][0, -1]
        return logits


def _empty_cache() -> Tensors:
    empty = np.zeros((1, HEADS, 0, HEAD_SIZE), np.float32)
    return {
        f"past_key_values.{layer}.{side}.{kind}": empty
        for layer in range(LAYERS)
        for side in ("decoder", "encoder")
        for kind in ("key", "value")
    }
