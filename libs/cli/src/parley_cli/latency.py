"""Voice to voice, as the caller hears it: from the end of speech to the bot's first sound."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parley_cli.call import Call
from parley_cli.wav import Samples

WINDOW_MS = 10
LOUD = 300.0
"""The RMS of 16-bit samples above which a window counts as sound; about -40 dBFS."""


@dataclass(frozen=True)
class TurnLatency:
    """One reply. None where no speech of the caller came before it, or the bot made no sound."""

    turn: int
    voice_to_voice_ms: float | None


def of_call(call: Call) -> list[TurnLatency]:
    """The latency of each reply that was played; the greeting is none. Needs the recordings.

    A backchannel is nothing that the bot replies to.
    """
    rate = call.options.sample_rate
    caller, bot = loud_windows(call.caller_audio, rate), loud_windows(call.bot_audio, rate)
    nods = [_window(call, one.at) for one in call.events if one.type == "backchannel"]
    found, answered_until = [], 0
    for turn, begun in sorted(call.playback.begun.items()):
        first, last = _window(call, begun), _window(call, call.playback.ended[turn]) + 1
        answered_until = max([answered_until, *(at for at in nods if at < first)])
        if turn > 0:
            ms = voice_to_voice(caller, bot[:last], answered_until, first)
            found.append(TurnLatency(turn, ms))
        answered_until = first
    return found


def _window(call: Call, at: float) -> int:
    return int((at - call.started_at) * 1000 / WINDOW_MS)


def loud_windows(samples: Samples, sample_rate: int) -> NDArray[np.bool_]:
    """Which windows of 10 ms hold sound."""
    size = sample_rate * WINDOW_MS // 1000
    windows = samples[: len(samples) // size * size].astype(np.float32).reshape(-1, size)
    loud: NDArray[np.bool_] = np.sqrt((windows**2).mean(axis=1)) > LOUD
    return loud


def voice_to_voice(
    caller: NDArray[np.bool_], bot: NDArray[np.bool_], since: int, begun: int
) -> float | None:
    """ms from the caller's last sound in windows [since, first sound) to the bot's first sound.

    The bot's first sound is looked for from `begun` on.
    """
    sounds = np.flatnonzero(bot[begun:])
    if not len(sounds):
        return None
    first = begun + int(sounds[0])
    spoken = np.flatnonzero(caller[since:first])
    if not len(spoken):
        return None
    return float((first - since - int(spoken[-1]) - 1) * WINDOW_MS)
