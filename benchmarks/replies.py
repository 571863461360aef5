"""Conversations with the embedded default: what is said back, and how soon."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from parley_cli.call import Options, connect
from support import listener, recordings, words
from support.engine import Engine

OPENERS = {
    "clone-test.wav": (0.0, 4.2),
    "beckett.wav": (0.0, 9.9),
    "two_cities.wav": (0.0, 4.6),
}
"""Human recordings, and the part (s) that makes one turn."""


@dataclass(frozen=True)
class Reply:
    """One spoken turn and the answer to it."""

    asked: str
    said: str
    """What the transcript claims that the bot said."""
    recognised: str
    """What an independent recogniser hears in the saved call."""
    client_ms: float
    """From the last sample that the caller sent to the bot's first sample played."""
    timeline: dict[str, Any]

    @property
    def share_recognised(self) -> float:
        """The share of the claimed words that are in the recording."""
        return words.share_recognised(self.said, self.recognised)


async def converse(engine: Engine, name: str, turns: int = 1) -> list[Reply]:
    """Call the default agent, say the opener `turns` times, and hear each answer to its end."""
    start, end = OPENERS[name]
    opener = np.frombuffer(recordings.part(recordings.recording(name), start, end), "<i2")
    spoken: list[tuple[int, str, str, float, float, float]] = []
    async with connect(engine.url, Options(agent="default")) as call:
        for _ in range(turns):
            since = len(call.events)
            call.play(opener)
            await call.until(lambda: not call.voice.pending, len(opener) / 16_000 + 10)
            ended = call.voice_ended_at or math.nan
            # A person's pause may be taken for the end: the last answer is the one that counts.
            event = await call.wait_for("spoken", since=since, timeout=60, cut_off=False)
            turn = int(event.data["turn"])
            await call.until(lambda: not call.playback.playing, 5)
            heard = [
                one.data["message"]
                for one in call.events[since:]
                if one.type == "transcription" and one.data["is_final"]
            ]
            begun, stopped = call.playback.begun[turn], call.playback.ended[turn]
            spoken.append((turn, " ".join(heard), event.data["text"], ended, begun, stopped))
        audio, zero = call.bot_audio, call.started_at
        conversation = str(call.ready.data["conversation_id"])
        await call.end()
    lines = {line["turn"]: line for line in engine.turns(conversation)}
    return [
        Reply(
            asked,
            said,
            listener.listen(
                audio[int((begun - zero) * 16_000) : int((stopped - zero) * 16_000)].tobytes()
            ),
            (begun - ended) * 1000,
            lines[turn],
        )
        for turn, asked, said, ended, begun, stopped in spoken
    ]
