"""The cases in which the caller has the turn: clear ends, pauses inside, and short answers."""

from collections.abc import Sequence
from itertools import chain, cycle, islice
from random import Random

import numpy as np

from benchmarks.turns import catalogue, clips, sounds, voices
from benchmarks.turns.cases import Case, Kind
from parley_cli.wav import Samples
from support import listener

CLEAR, PAUSED, ANSWERS = 23, 42, 16
PAUSES = (0.3, 0.5, 0.7, 0.9, 1.1, 1.3, 1.5)
"""How long (s) a caller pauses inside a sentence, in turn."""
SLOPPY_SECONDS = 0.08
"""A recogniser's word times are about so exact (s)."""


def clear() -> list[Case]:
    """Complete sentences and questions."""
    people = chain(
        clips.assets(catalogue.CLEAR_ASSETS),
        clips.prompts(catalogue.CLEAR_PROMPTS),
        clips.dictated(catalogue.CLEAR_DICTATED),
    )
    cases = clips.made(Kind.CLEAR, people, human=True)
    asked = islice(clips.spoken(catalogue.QUESTIONS, voices.voices()), CLEAR - len(cases))
    return cases + clips.made(Kind.CLEAR, asked, human=False)


def pauses(random: Random) -> list[Case]:
    """Sentences cut between two words, hesitations, and numbers dictated slowly."""
    seconds = cycle(random.sample(PAUSES, len(PAUSES)))
    cases = [_hesitating(index, next(seconds)) for index in range(len(catalogue.HESITATIONS))]
    cases += [_dictated(number, random) for number in catalogue.NUMBERS]
    people = chain(
        clips.assets(catalogue.PAUSED_ASSETS),
        clips.prompts(catalogue.PAUSED_PROMPTS),
        clips.dictated(catalogue.PAUSED_DICTATED),
    )
    whole = cycle(clips.made(Kind.PAUSE, people, human=True))
    return cases + [
        _paused(case, next(seconds), random) for case in islice(whole, PAUSED - len(cases))
    ]


def answers(random: Random) -> list[Case]:
    """Short words after a question of the bot's, those of listeners among them."""
    cases = clips.made(Kind.ANSWER, clips.humming_people(), human=True)[-4:]
    said = chain(
        islice(clips.humming_voices(), 3), clips.spoken(catalogue.ANSWERS, voices.voices())
    )
    cases += clips.made(Kind.ANSWER, islice(said, ANSWERS - len(cases)), human=False)
    return [clips.moved(case, random.uniform(0.3, 1.0)) for case in cases]


def with_pauses(
    parts: Sequence[Samples], seconds: Sequence[float]
) -> tuple[Samples, tuple[tuple[float, float], ...]]:
    """The parts with a quiet room between them, so long each; and where the pauses are (s)."""
    whole, found = parts[0], []
    for part, pause in zip(parts[1:], seconds, strict=True):
        begin = sounds.seconds(whole)
        found.append((begin, begin + pause))
        whole = sounds.joined(whole, sounds.room(pause * 1000), part)
    return whole, tuple(found)


def quietest(samples: Samples, around: float) -> float:
    """Where (s) the sound is quietest, near a word's end as a recogniser puts it."""
    first = max(0, int((around - SLOPPY_SECONDS) * sounds.RATE))
    near = np.abs(samples[first : int((around + SLOPPY_SECONDS) * sounds.RATE)].astype(np.float64))
    smooth = np.convolve(near, np.ones(sounds.RATE // 100), mode="same")
    return (first + int(smooth.argmin())) / sounds.RATE


def _paused(case: Case, seconds: float, random: Random) -> Case:
    """The sentence with one pause between two words that do not end it."""
    heard = listener.listen_to_words(case.samples.tobytes())
    inside = [
        word.end
        for word in heard[1:-1]
        if word.end < case.seconds - 0.5 and word.word[-1:] not in ".?!"
    ]
    cut = quietest(case.samples, random.choice(inside))
    parts = sounds.part(case.samples, 0, cut), sounds.part(case.samples, cut, case.seconds)
    whole, found = with_pauses(parts, [seconds])
    name = f"{case.name}, {seconds:.1f} s at {cut:.1f} s"
    return Case(Kind.PAUSE, name, whole, True, pauses=found)


def _hesitating(index: int, seconds: float) -> Case:
    before, after = catalogue.HESITATIONS[index]
    who = voices.voices()
    voice = who[index % len(who)]
    whole, found = with_pauses([voices.say(voice, text) for text in (before, after)], [seconds])
    return Case(Kind.PAUSE, f"{voice}: {before} ({seconds}) {after}", whole, False, pauses=found)


def _dictated(number: str, random: Random) -> Case:
    """A number digit by digit: by a person where there is one."""
    names = [catalogue.NUMBER_PROMPT, *(f"digits/{digit}" for digit in number)]
    by_person = [samples for _, samples in clips.prompts(names) if samples is not None]
    human_ = len(by_person) == len(names)
    texts = ["My number is", *number]
    digits = by_person if human_ else [voices.say("heart", text) for text in texts]
    whole, found = with_pauses(digits, [random.uniform(0.3, 1.0) for _ in number])
    return Case(Kind.PAUSE, f"digits {number}", whole, human_, pauses=found)
