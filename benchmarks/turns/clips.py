"""Named sounds, by where they come from, and cases made of them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import product

from benchmarks.turns import catalogue, human, sounds, voices
from benchmarks.turns.cases import Case, Kind
from parley_cli.wav import Samples

Clip = tuple[str, Samples | None]
"""A sound and what it is called; None where its package cannot be had."""


def made(kind: Kind, clips: Iterable[Clip], *, human: bool) -> list[Case]:
    """A case of each sound that there is."""
    return [Case(kind, name, samples, human) for name, samples in clips if samples is not None]


def moved(case: Case, moment: float, gain_db: float = 0.0) -> Case:
    """The case at that moment, so much louder."""
    samples = sounds.at_level(case.samples, sounds.level(case.samples) + gain_db)
    name = f"{case.name} {gain_db:+.0f} dB" if gain_db else case.name
    return replace(case, name=name, samples=samples, moment=moment)


def first(case: Case, seconds: float) -> Case:
    """The case with the beginning of its sound only."""
    return replace(case, samples=sounds.part(case.samples, 0, seconds))


def assets(parts: Iterable[tuple[str, float, float]]) -> Iterator[Clip]:
    """Parts (s) of the recordings that are always there."""
    for name, begin, end in parts:
        yield f"{name} {begin:.1f} s", human.asset(name, begin, end)


def prompts(names: Iterable[str]) -> Iterator[Clip]:
    """A telephone system's speaker."""
    return ((name, human.prompt(name)) for name in names)


def exclamations(names: Iterable[str], prefix: str = "") -> Iterator[Clip]:
    """Voice actors."""
    return ((f"{prefix}{name}", human.exclamation(name)) for name in names)


def effects(names: Iterable[str], prefix: str = "") -> Iterator[Clip]:
    """People, animals and things; at most 4 s."""
    for name in names:
        effect = human.effect(name)
        yield f"{prefix}{name}", None if effect is None else sounds.part(effect, 0, 4)


def dictated(names: Iterable[str]) -> Iterator[Clip]:
    """A recogniser's test data."""
    return ((name, human.dictated(name)) for name in names)


def spoken(texts: Sequence[str], who: Iterable[str]) -> Iterator[Clip]:
    """Every voice says every text, another voice each time."""
    names = list(who)
    for turn, (shift, text) in enumerate(product(range(len(names)), texts)):
        voice = names[(turn + shift) % len(names)]
        yield f"{voice}: {text}", voices.say(voice, text)


def humming_people() -> Iterator[Clip]:
    """Hums, hums with a second syllable, a sung "yeah" and a short "yes"."""
    yield from exclamations(catalogue.HUMS, "hmm ")
    for name in catalogue.DOUBLED_HUMS:
        hum = human.exclamation(name)
        yield f"mm-hm made of {name}", None if hum is None else doubled(hum)
    yield from effects(["Vocals/Ya.wav"], "yeah ")
    yield "yes", human.asset("endgame_nagg_nell", 3.9, 4.4)


def humming_voices() -> Iterator[Clip]:
    """Hums of the embedded voice; others spell them."""
    return spoken(catalogue.HUMMED_BACKCHANNELS, voices.EMBEDDED)


def doubled(hum: Samples) -> Samples:
    """A "mm-hm" made of one hum: a short one, a breath, and a higher one."""
    short = sounds.part(hum, 0, min(0.22, sounds.seconds(hum)))
    return sounds.joined(short, sounds.room(60) * 4, sounds.higher(short, 1.15))
