"""Recordings of people and things in packages. Each gives None where its package is not there."""

from functools import cache

import numpy as np

from benchmarks.turns import sounds
from benchmarks.turns.packages import unpacked
from parley_cli.wav import Samples
from support import recordings

PROMPTS = "usr/share/asterisk/sounds/en_US_f_Allison"
EXCLAMATIONS = "usr/share/games/hedgewars/Data/Sounds/voices"
DICTATED = "usr/share/pocketsphinx/test/data"


def asset(name: str, begin: float, end: float) -> Samples:
    """A part (s) of a recording that comes with the embedded recogniser: always there."""
    pcm = np.frombuffer(recordings.recording(f"{name}.wav"), "<i2")
    return sounds.at_level(sounds.trimmed(sounds.part(pcm, begin, end)))


def prompt(name: str) -> Samples | None:
    """What a telephone system's speaker says."""
    return _file("asterisk-core-sounds-en-wav", f"{PROMPTS}/{name}.wav")


def exclamation(name: str) -> Samples | None:
    """What a voice actor calls out in a game: `Voice/Clip`."""
    return _file("hedgewars-data", f"{EXCLAMATIONS}/{name}.ogg")


def dictated(name: str) -> Samples | None:
    """Speech from a recogniser's test data."""
    return _file("pocketsphinx-testdata", f"{DICTATED}/{name}")


def effect(name: str) -> Samples | None:
    """A sound of a person, an animal or a thing: `Human/Cough-male.wav`."""
    folder = unpacked("scratch")
    found = sorted(folder.rglob(f"Sounds/{name}")) if folder else []
    return sounds.read(found[0]) if found else None


def music(name: str, begin: float) -> Samples | None:
    """5 s of music on hold."""
    whole = _file("asterisk-moh-opsound-wav", f"usr/share/asterisk/moh/{name}.wav")
    return None if whole is None else sounds.at_level(sounds.part(whole, begin, begin + 5))


@cache
def keyboard(strokes: int, seed: int) -> Samples | None:
    """Somebody who types on a loud keyboard, six to nine strokes a second."""
    folder = unpacked("bucklespring-data")
    if folder is None:
        return None
    random = np.random.default_rng(seed)
    keys = sorted(folder.rglob("*-?.wav"))
    typed = np.zeros(int(strokes * 0.17 * sounds.RATE) + sounds.RATE, np.float64)
    at = 0.0
    for key in random.choice(len(keys), strokes):
        stroke = sounds.read(keys[int(key)])[: sounds.RATE // 2]
        begin = int(at * sounds.RATE)
        typed[begin : begin + len(stroke)] += stroke / 32768 * 0.5
        at += float(random.uniform(0.11, 0.17))
    return sounds.at_level(sounds.trimmed(sounds.pcm(typed)))


def _file(package: str, path: str) -> Samples | None:
    folder = unpacked(package)
    if folder is None or not (folder / path).exists():
        return None
    return sounds.read(folder / path)
