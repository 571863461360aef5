"""What the caller's ear gets: silence where the bot ought to be talking."""

import numpy as np

from benchmarks.chaos.take import Floor, Take
from parley_cli.wav import Samples

WINDOW_MS = 20
MARGIN_MS = 300
QUIET = 100
"""A window whose root mean square is below this (full scale 32767) is silence to the ear."""


def silences_ms(audio: Samples, sample_rate: int) -> float:
    """How much of the audio (ms) is silence, in windows of 20 ms."""
    window = sample_rate * WINDOW_MS // 1000
    windows = audio[: len(audio) // window * window].reshape(-1, window).astype(np.float64)
    levels = np.sqrt((windows**2).mean(axis=1))
    return float((levels < QUIET).sum() * WINDOW_MS)


def on_floor(take: Take, floor: Floor) -> Samples:
    """What was played in that time; where the recording has ended, silence."""
    first = max(0, int((floor.begin - take.started_at) * take.sample_rate))
    last = max(first, int((floor.end - take.started_at) * take.sample_rate))
    played = take.bot_audio[first:last]
    return np.concatenate([played, np.zeros(last - first - len(played), np.int16)])


def waiting_ms(take: Take) -> float:
    """How long (ms) the caller heard nothing though the bot had the floor.

    This is the delay of each answer and the silences inside it.
    """
    return sum(silences_ms(on_floor(take, floor), take.sample_rate) for floor in take.floors)


def talking_ms(take: Take) -> float:
    """How long (ms) the bot was heard in the whole call."""
    whole = len(take.bot_audio) * 1000 / take.sample_rate
    return whole - silences_ms(take.bot_audio, take.sample_rate)


def answers(take: Take) -> list[Samples]:
    """What was played up to the end of each answer, without the silence before and after it."""
    ends = [int((floor.end - take.started_at) * take.sample_rate) for floor in take.floors]
    return [trimmed(part, take.sample_rate) for part in np.split(take.bot_audio, ends[:-1])]


def trimmed(audio: Samples, sample_rate: int) -> Samples:
    """The audio from a little before its first sound to a little after its last."""
    loud = np.flatnonzero(np.abs(audio) > QUIET)
    if not len(loud):
        return audio[:0]
    margin = sample_rate * MARGIN_MS // 1000
    return audio[max(0, loud[0] - margin) : loud[-1] + margin]
