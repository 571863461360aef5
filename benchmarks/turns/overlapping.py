"""The cases in which the caller is heard while the bot speaks."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, cycle, islice
from random import Random

import numpy as np

from benchmarks.turns import catalogue, clips, human, sounds, voices
from benchmarks.turns.cases import Case, Kind
from benchmarks.turns.clips import Clip

INTERRUPTIONS, UNTIMED, BACKCHANNELS = 44, 14, 34


def interruptions(random: Random) -> list[Case]:
    """Sentences and commands of one word and more, by people first."""
    people = chain(
        clips.assets(catalogue.INTERRUPTING_ASSETS),
        clips.prompts(catalogue.INTERRUPTING_PROMPTS),
        clips.exclamations(catalogue.INTERRUPTING_EXCLAMATIONS),
    )
    cases = clips.made(Kind.INTERRUPTION, people, human=True)
    said = cycle(clips.spoken(catalogue.COMMANDS, voices.voices()))
    missing = islice(said, INTERRUPTIONS - len(cases))
    cases += clips.made(Kind.INTERRUPTION, missing, human=False)
    return [clips.moved(case, random.uniform(0.5, 7.0)) for case in cases]


def untimed(cases: list[Case]) -> list[Case]:
    """Some of the interruptions again, of a voice without word times."""
    some = cases[:: max(1, len(cases) // UNTIMED)][:UNTIMED]
    return [replace(case, name=f"{case.name} (untimed)", timed=False) for case in some]


def backchannels(random: Random) -> list[Case]:
    """What a listener hums and says, at different levels."""
    cases = clips.made(Kind.BACKCHANNEL, clips.humming_people(), human=True)
    words = clips.spoken(catalogue.SAID_BACKCHANNELS, voices.voices())
    said = cycle(chain(clips.humming_voices(), words))
    missing = islice(said, BACKCHANNELS - len(cases))
    cases += clips.made(Kind.BACKCHANNEL, missing, human=False)
    return [
        clips.moved(case, random.uniform(1.5, 3.5), random.choice((0, 0, -5, -9))) for case in cases
    ]


def noises(random: Random) -> list[Case]:
    """Coughs, laughs, doors, keys, dogs, music; bursts and steady noise are made."""
    cases = clips.made(Kind.NOISE, _real_noises(), human=True)
    cases += clips.made(Kind.NOISE, _made_noises(random), human=False)
    return [
        clips.moved(case, random.uniform(1.5, 3.0), random.choice((0, 0, -6, -10)))
        for case in cases
    ]


def not_directed(random: Random) -> list[Case]:
    """People in the background, 15 to 20 dB below the caller."""
    people = chain(
        clips.assets(catalogue.BACKGROUND_ASSETS), clips.prompts(catalogue.BACKGROUND_PROMPTS)
    )
    said = islice(clips.spoken(catalogue.BACKGROUND_TALK, voices.voices()), 2)
    cases = clips.made(Kind.NOT_DIRECTED, people, human=True)
    cases += clips.made(Kind.NOT_DIRECTED, said, human=False)
    return [clips.moved(clips.first(case, 4.0), 1.5, random.uniform(-20, -15)) for case in cases]


def _real_noises() -> Iterator[Clip]:
    yield from clips.effects(catalogue.TICS, "tic ")
    yield from clips.exclamations(catalogue.EXCLAIMED_TICS, "tic ")
    yield from clips.effects(catalogue.THINGS)
    for name, begin in catalogue.MUSIC:
        yield f"music {name}", human.music(name, begin)
    for seed, strokes in ((1, 8), (2, 18)):
        yield f"keyboard, {strokes} strokes", human.keyboard(strokes, seed)


def _made_noises(random: Random) -> Iterator[Clip]:
    """Bursts of 50 to 300 ms, and steady hiss and hum of 4 s."""
    noise = np.random.default_rng(random.randrange(1 << 30))
    for ms in (50, 120, 300):
        fall = np.exp(-np.arange(int(ms * sounds.RATE / 1000)) / (ms * 4))
        burst = noise.standard_normal(len(fall)) * fall * 0.2
        yield f"burst of {ms} ms", sounds.at_level(sounds.pcm(burst))
    hiss = noise.standard_normal(4 * sounds.RATE) * 0.1
    yield "steady hiss", sounds.at_level(sounds.pcm(hiss), -33)
    beat = np.arange(4 * sounds.RATE) / sounds.RATE
    hum = np.sin(2 * np.pi * 100 * beat) + 0.3 * np.sin(2 * np.pi * 300 * beat)
    yield "mains hum", sounds.at_level(sounds.pcm(hum * 0.1), -33)
