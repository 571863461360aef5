"""How well the engine hears people: word error rate of human recordings, called in real time."""

import asyncio
from dataclasses import dataclass

import numpy as np

from parley_cli.call import Options, connect
from support import recordings, words

TEXTS = {
    "two_cities.wav": recordings.TWO_CITIES,
    "beckett.wav": "Ever tried. Ever failed. No matter. Try again. Fail again. Fail better.",
}
SETTLE_SECONDS = 3.0


@dataclass(frozen=True)
class Hearing:
    """What a recording said and what was recognised."""

    said: str
    recognised: str

    @property
    def error_rate(self) -> float:
        """Word error rate."""
        return words.word_error_rate(self.said, self.recognised)


async def hear(url: str, name: str, agent: str = "short") -> Hearing:
    """Call and play a recording; the bot may talk in between, as it would to a person."""
    samples = np.frombuffer(recordings.recording(name), "<i2")
    async with connect(url, Options(agent=agent)) as call:
        call.play(samples)
        await call.until(lambda: not call.voice.pending, len(samples) / 16_000 + 20)
        await asyncio.sleep(SETTLE_SECONDS)
        finals = [
            event.data["message"]
            for event in call.events
            if event.type == "transcription" and event.data["is_final"]
        ]
        await call.end()
    return Hearing(TEXTS[name], " ".join(finals))


def total_error_rate(heard: list[Hearing]) -> float:
    """Word error rate over all recordings, each word counting the same."""
    said = " ".join(one.said for one in heard)
    return words.word_error_rate(said, " ".join(one.recognised for one in heard))
