"""Fits what tells ends of sentences from pauses inside them.

`PYTHONPATH=tests python -m benchmarks.turns.sentence_ends` writes the `sentence_end.json` of the
embedded transcriber, in about half an hour. It is fitted to recordings of people in packages, none
of which a case is made of: whole ones end a sentence, and those that are cut between two words do
not. Each is heard in a quiet room, in digital silence, in noise and by telephone.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import soxr
from numpy.typing import NDArray

import parley_stt.engines
from benchmarks.turns import asking, catalogue, human, sounds
from benchmarks.turns.packages import unpacked
from parley_cli.wav import Samples
from parley_stt.engines.moonshine_onnx import TOKENIZER, Moonshine
from parley_stt.engines.tokens import Vocabulary
from parley_stt.unfinished import is_unfinished
from support import listener

FILE = Path(parley_stt.engines.__path__[0]) / "sentence_end.json"
SPEAKERS = ("British", "Default", "HillBilly", "Mobster", "Pirate", "Singer", "Surfer")
SECONDS = (0.9, 9.0)
CUTS = 3
"""So many pauses are made of each recording."""
HUSH_MS = (96, 320)
"""So much silence there is after the voice when it is recognised: there and then, and later."""
TOKENS, RIDGE, STEPS = 100, 40.0, 30
HALF_SENTENCES = frozenset(
    [
        "at-tone-time-exactly",
        "conf-enteringno",
        "conf-hasjoin",
        "conf-hasleft",
        "conf-otherinparty",
        "conf-thereare",
        "confbridge-there-are",
        "dir-pls-enter",
        "dir-first",
        "followme/call-from",
        "is-set-to",
        "if-correct-press",
        "num-was-successfully",
        "privacy-to-blacklist-last-caller",
        "queue-holdtime",
        "queue-quantity1",
        "queue-callswaiting",
        "queue-thereare",
        "to-call-this-number",
        "vm-duration",
        "vm-from-extension",
        "vm-from-phonenumber",
        "vm-num-i-have",
        "vm-onefor",
        "vm-onefor-full",
        "vm-theperson",
        "vm-tempgreetactive",
    ]
)
"""Prompts that call for more."""
NEITHER = [
    "digits/",
    "letters/",
    "phonetic/",
    "silence/",
    "beep",
    "spy",
    "astcc",
    "call-f",
    "de-act",
    "activated",
    "dictate/playback",
    "dictate/record_mode",
    "dictate/trunc",
    "agent-loggedoff",
    "conf-user",
    "conf-roll",
    "conf-errormenu",
    "confbridge-",
    "vm-then",
    "vm-tocancel",
    "vm-save",
    "vm-Cust",
    "vm-is",
    "vm-extension",
    "vm-login",
    "to-",
    "extension",
    "location",
    "queue-report",
    "queue-quantity2",
    "info-about",
    "from-unk",
    "dir-last",
    "telephone",
    "unid",
    "privacy-un",
]
"""Prompts that begin so are labels and spelling, half of them with the voice of a sentence."""
OF_PROMPTS_ONLY = frozenset(["button", "press", "app", "b", "p", "ity", "/", "one", "two", "love"])
"""Tokens that would tell what the prompts are about."""

Logits = NDArray[np.float32]


@dataclass(frozen=True)
class Heard:
    """The logits after the last word of something that was said, and whether it was all."""

    speaker: str
    is_end: bool
    logits: Logits


def main() -> None:
    """Listen, fit, write."""
    model = Moonshine()
    vocabulary = Vocabulary(TOKENIZER.verified().read_bytes())
    heard = [
        one
        for name, speaker, samples in _recordings()
        for one in _looks(model, vocabulary, name, speaker, samples)
    ]
    tokens = _tokens(heard, vocabulary)
    weights, bias = fitted(heard, tokens)
    found = {"bias": round(bias, 4), "tokens": tokens, "weights": [round(w, 4) for w in weights]}
    FILE.write_text(json.dumps(found) + "\n")
    print(f"{len(heard)} looks, {sum(one.is_end for one in heard)} of them at ends")


def _recordings() -> Iterator[tuple[str, str, Samples]]:
    """Name, speaker and sound of all that no case is made of."""
    scored = {*catalogue.CLEAR_PROMPTS, *catalogue.PAUSED_PROMPTS, *catalogue.INTERRUPTING_PROMPTS}
    scored |= {*catalogue.INTERRUPTING_EXCLAMATIONS}
    for path, name in _files("asterisk-core-sounds-en-wav", human.PROMPTS):
        if name not in scored and (name in HALF_SENTENCES or not name.startswith(tuple(NEITHER))):
            yield name, "prompts", sounds.read(path)
    for path, name in _files("hedgewars-data", human.EXCLAMATIONS):
        speaker = name.partition("/")[0]
        if name not in scored and speaker in SPEAKERS:
            yield name, speaker, sounds.read(path)


def _files(package: str, below: str) -> Iterator[tuple[Path, str]]:
    folder = unpacked(package)
    if folder is None:
        raise FileNotFoundError(package)
    for path in sorted((folder / below).rglob("*.*")):
        if path.suffix in (".wav", ".ogg"):
            yield path, path.relative_to(folder / below).with_suffix("").as_posix()


def _looks(
    model: Moonshine, vocabulary: Vocabulary, name: str, speaker: str, samples: Samples
) -> Iterator[Heard]:
    seconds = sounds.seconds(samples)
    if not SECONDS[0] < seconds < SECONDS[1]:
        return
    random = Random(name)
    words = listener.listen_to_words(samples.tobytes())
    inside = [
        one.end for one in words[1:-1] if one.end < seconds - 0.5 and one.word[-1] not in ".?!"
    ]
    said = [(samples, name not in HALF_SENTENCES)] if len(words) > 1 else []
    for at in random.sample(inside, min(CUTS, len(inside))):
        said.append((sounds.part(samples, 0, asking.quietest(samples, at)), False))
    for sound, is_end in said:
        for audio in _lines(sound, random):
            tokens, _, logits = model.decode(audio)
            text = vocabulary.decode(tokens)
            if text and not is_unfinished(text):
                yield Heard(speaker, is_end, logits)


def _lines(sound: Samples, random: Random) -> Iterator[Logits]:
    """The sound with silence around it, on different lines."""
    noise = np.random.default_rng(random.randrange(1 << 30))
    for ms in HUSH_MS:
        yield _floats(sounds.joined(sounds.room(300), sound, sounds.room(ms)))
    silent = _floats(np.pad(sound, (4800, HUSH_MS[0] * 16)))
    yield silent
    level = 10 ** (random.uniform(-55, -42) / 20)
    yield silent + (noise.standard_normal(len(silent)) * level).astype(np.float32)
    yield _telephone(silent)


def _floats(samples: Samples) -> Logits:
    return np.asarray(samples / 32768, np.float32)


def _telephone(samples: Logits) -> Logits:
    """At 8 kHz, mu-law."""
    narrow = np.asarray(soxr.resample(samples, sounds.RATE, 8000))
    law = np.sign(narrow) * np.log1p(255 * np.abs(np.clip(narrow, -1, 1))) / np.log(256)
    law = np.round(law * 127) / 127
    narrow = np.sign(law) * np.expm1(np.abs(law) * np.log(256)) / 255
    return np.asarray(soxr.resample(narrow, 8000, sounds.RATE)).astype(np.float32)


def _tokens(heard: list[Heard], vocabulary: Vocabulary) -> list[int]:
    """Those that are likeliest there on average, but no numbers and what prompts are about."""
    mean = np.mean([np.exp(_log_odds(one.logits)) for one in heard], axis=0)
    texts = ((int(token), vocabulary.decode([int(token)])) for token in np.argsort(-mean))
    useful = [token for token, text in texts if not text.isdigit() and text not in OF_PROMPTS_ONLY]
    return useful[:TOKENS]


def _log_odds(logits: Logits) -> Logits:
    shifted = logits - logits.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()), np.float32)


def fitted(heard: list[Heard], tokens: list[int]) -> tuple[list[float], float]:
    """Weights and bias of a logistic regression. Ends and pauses count alike; a speaker counts by
    the root of how much there is of him.
    """
    inputs = np.array([_log_odds(one.logits)[tokens] for one in heard], np.float64)
    ends = np.array([one.is_end for one in heard], np.float64)
    speakers = np.array([one.speaker for one in heard])
    counts = {speaker: (speakers == speaker).sum() for speaker in set(speakers)}
    weight = np.array([counts[speaker] ** -0.5 for speaker in speakers])
    weight *= np.where(ends == 1, 0.5 / weight[ends == 1].sum(), 0.5 / weight[ends == 0].sum())
    weight *= len(heard) / 3  # the looks at one moment are not independent
    middle, spread = inputs.mean(axis=0), inputs.std(axis=0) + 1e-6
    scaled = np.c_[(inputs - middle) / spread, np.ones(len(heard))]
    ridge = np.diag([*[RIDGE] * len(tokens), 1e-6])
    factors = np.zeros(len(tokens) + 1)
    for _ in range(STEPS):
        likely = 1 / (1 + np.exp(-np.clip(scaled @ factors, -30, 30)))
        slope = scaled.T @ (weight * (likely - ends)) + ridge @ factors
        bend = (scaled * (weight * likely * (1 - likely))[:, None]).T @ scaled + ridge
        factors -= np.linalg.solve(bend, slope)
    weights = factors[:-1] / spread
    return [float(one) for one in weights], float(factors[-1] - weights @ middle)


if __name__ == "__main__":
    main()
