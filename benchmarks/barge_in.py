"""A caller talks over the bot: how soon it is silent, and whether the history tells the truth."""

import math
import time
from dataclasses import dataclass

import numpy as np

from parley_cli.call import Options, connect
from support import listener, recordings, words

INTERRUPTION_SECONDS = 1.6


@dataclass(frozen=True)
class BargeIn:
    """One interruption."""

    silence_ms: float
    """From the onset of the caller's speech to the last sample of the bot that was played."""
    script: str
    claimed: str
    """What the history says was heard."""
    heard: str
    """What an independent recogniser hears in the recording of the call."""

    @property
    def words_wrong(self) -> int:
        """By how many words the history is longer (or shorter, negative) than the recording."""
        return words.length_error(self.claimed, self.script, self.heard)


def interruption() -> np.ndarray:
    """A person who sets in at once: speech without the silence before it."""
    samples = np.frombuffer(recordings.recording("clone-test.wav"), "<i2")
    onset = int(np.argmax(np.abs(samples) > 0.1 * np.abs(samples).max()))
    return samples[onset : onset + int(INTERRUPTION_SECONDS * 16_000)]


async def barge_in(url: str, agent: str, script: str, after: float) -> BargeIn:
    """Have the bot speak `script`, and talk over it `after` seconds into what is played."""
    async with connect(url, Options(agent=agent)) as call:
        await call.text("Tell me about the museum.")
        await call.wait_for("speaking", turn=1, timeout=20)
        begun = call.playback.begun
        await call.until(lambda: time.monotonic() >= begun.get(1, math.inf) + after, after + 10)
        onset = time.monotonic()
        call.mix(interruption())
        spoken = await call.wait_for("spoken", turn=1, timeout=20)
        played_from, played_to = begun[1], call.playback.ended[1]
        first = int((played_from - call.started_at) * 16_000)
        last = int((played_to - call.started_at) * 16_000)
        audio = call.bot_audio[first:last]
        await call.end()
    heard = listener.listen(audio.tobytes())
    return BargeIn((played_to - onset) * 1000, script, spoken.data["text"], heard)
