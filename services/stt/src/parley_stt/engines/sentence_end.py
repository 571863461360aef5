"""How likely a sentence ends where Moonshine has written its last word.

The model writes a full stop after nearly everything. Whether a sentence really ends there shows in
what else it would have written: a logistic regression on the probabilities of some tokens, marks
and short words for the most part. `benchmarks/turns/sentence_ends.py` fitted it to ends of
sentences, and to pauses inside them, in recordings of people.
"""

import json
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray


class SentenceEnd:
    """The regression, loaded: a weight for each of its tokens' log-probabilities, and a bias."""

    def __init__(self) -> None:
        fitted = json.loads(files(__package__).joinpath("sentence_end.json").read_text())
        self._tokens = np.array(fitted["tokens"], np.int64)
        self._weights = np.array(fitted["weights"])
        self._bias = float(fitted["bias"])

    def probability(self, logits: NDArray[np.float32]) -> float:
        """From the decoder's logits at the place of the mark that ends the text."""
        likeliest = float(logits.max())
        total = likeliest + float(np.log(np.exp(logits - likeliest).sum()))
        score = float((logits[self._tokens] - total) @ self._weights) + self._bias
        return float(1 / (1 + np.exp(-score)))
