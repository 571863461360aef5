"""The language in which tests write down a call; virtual_call.py plays it.

    agent {interruption: {minWords: 1}}
    bot thinks 0.6, speaks 5.0 "The museum opens at nine. Would you like a ticket?"
    0.0-1.2 user "what is the time"
    4.0-4.4 user "mhm", late 0.4

Times are in seconds. `agent` has keys of agents.yaml. Each `bot` line is one answer, the last of
them all others: so long until its first sound, so long to speak. What the bot says of itself takes
0.2 s to begin, and a second for 15 characters. Then comes what happens:

    A-B user "words"    the caller's voice     T types "words"    a typed turn
    A-B noise           voice without words    T interrupts       the client's `interrupt`
    until T             watch so long: else,   T fails            the reply, where it is
                        until nobody speaks    T takes back       the provider's TurnResumed
                                               T dies             another gateway goes on

Voice can have, after commas:

    late S         the recogniser's delay (0.1)    no partials   nothing before the final
    ends S         silence that ends the turn      no final      the turn ends without one
                   (0.4); voice before that goes   final "x"     the final has other words
                   on with it                      sure P        confidence (0.9)
    probably S     after so much silence the end
                   of the turn is probable
"""

import re
from dataclasses import dataclass, field

import yaml

from parley.profiles import Profile

_MOMENT = re.compile(r'(types|interrupts|fails|takes back|dies)(?: "(.*)")?')


@dataclass
class Voice:
    """The caller's, from `start` to `end`."""

    start: float
    end: float
    words: list[str]
    late: float = 0.1
    ends: float = 0.4
    probably: float | None = None
    final: str | None = None
    sure: float = 0.9
    partials: bool = True
    has_final: bool = True

    def option(self, text: str) -> None:
        """One thing after a comma. Raises ValueError."""
        name, _, value = text.partition(" ")
        if text == "no partials":
            self.partials = False
        elif text == "no final":
            self.has_final = False
        elif name == "final":
            self.final = value.strip('"')
        elif name in ("late", "ends", "probably", "sure"):
            setattr(self, name, float(value))
        else:
            raise ValueError(f"no such option: {text}")


@dataclass
class Script:
    """A call as it is written down. `answers`: thinking (s), speaking (s), text."""

    profile: Profile = field(default_factory=Profile)
    answers: list[tuple[float, float, str]] = field(default_factory=list)
    voices: list[Voice] = field(default_factory=list)
    moments: list[tuple[float, str, str]] = field(default_factory=list)
    until: float | None = None

    def _read(self, line: str) -> None:
        first, _, rest = line.partition(" ")
        if first == "agent":
            self.profile = Profile.model_validate(yaml.safe_load(rest))
        elif first == "bot" and (m := re.fullmatch(r'thinks (\S+), speaks (\S+) "(.*)"', rest)):
            self.answers.append((float(m[1]), float(m[2]), m[3]))
        elif first == "until":
            self.until = float(rest)
        elif m := re.fullmatch(r"([\d.]+)-([\d.]+)", first):
            self.voices.append(_voice(float(m[1]), float(m[2]), rest))
        elif m := _MOMENT.fullmatch(rest):
            self.moments.append((float(first), m[1], m[2] or ""))
        else:
            raise ValueError("not understood")


def _voice(start: float, end: float, rest: str) -> Voice:
    what, *options = [one.strip() for one in re.findall(r'(?:[^,"]|"[^"]*")+', rest)]
    words = re.fullmatch(r'noise|user "([^"]*)"', what)
    if words is None or end <= start:
        raise ValueError("not understood")
    voice = Voice(start, end, (words[1] or "").split())
    for option in options:
        voice.option(option)
    return voice


def read(text: str) -> Script:
    """The call. Raises ValueError, which names the line."""
    script = Script()
    for number, line in enumerate(map(str.strip, text.strip().splitlines()), 1):
        try:
            if line:
                script._read(line)
        except (ValueError, yaml.YAMLError) as error:
            raise ValueError(f"line {number}, {line!r}: {error}") from error
    script.voices.sort(key=lambda one: one.start)
    return script
