"""How a recorded or typing caller behaves: waits for the greeting, speaks, barges in, listens."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from parley_cli.call import Call, Event
from parley_cli.errors import Usage
from parley_cli.wav import Samples

GREETING_SECONDS = 1.0
"""A greeting that has not begun after so long is none."""
SLACK_SECONDS = 5.0
QUIET_SECONDS = 2.0
"""The bot is done when it has answered and been quiet for so long."""


@dataclass(frozen=True)
class BargeInOption:
    """FILE@SECONDS, as it is written on the command line."""

    file: Path
    seconds: float

    @classmethod
    def parse(cls, text: str) -> "BargeInOption":
        """Raises Usage for what is not FILE@SECONDS."""
        file, at, seconds = text.rpartition("@")
        try:
            delay = float(seconds)
        except ValueError:
            delay = -1.0
        if not (at and file and 0 <= delay < float("inf")):
            raise Usage(f"--barge-in wants FILE.wav@SECONDS, such as no.wav@1.5, not {text!r}")
        return cls(Path(file), delay)


@dataclass(frozen=True)
class BargeIn:
    """Speech that is said `seconds` after the bot's first audio of a reply."""

    speech: Samples
    seconds: float


@dataclass(frozen=True)
class Script:
    """What the caller does in a call."""

    speech: Samples | None = None
    text: str | None = None
    barge_ins: Sequence[BargeIn] = ()
    wait_seconds: float = 60.0
    """How long the caller listens, at most, once all is said."""


async def perform(call: Call, script: Script) -> bool:
    """Do what the script says, then hang up. Whether the bot answered in time."""
    await hear_greeting(call, script.wait_seconds)
    if script.speech is not None:
        call.play(script.speech)
        seconds = len(script.speech) / call.options.sample_rate
        await call.until(lambda: not call.voice.pending, seconds + SLACK_SECONDS)
    if script.text is not None:
        await call.text(script.text)
    barging = asyncio.create_task(_barge_in(call, script.barge_ins))
    try:
        answered = await call.until(
            lambda: quiet(call, time.monotonic()) and barging.done(), script.wait_seconds
        )
    finally:
        barging.cancel()
        await asyncio.gather(barging, return_exceptions=True)
    await call.end()
    return answered


async def hear_greeting(call: Call, longest: float) -> None:
    """If the bot greets, let it finish."""
    if await call.until(lambda: _spoke(call, 0), GREETING_SECONDS):
        await call.until(
            lambda: any(one.type == "spoken" for one in call.events) and not call.playback.playing,
            longest,
        )


def quiet(call: Call, now: float) -> bool:
    """Whether the bot has answered all that was said and has been quiet for a while."""
    if call.voice.pending or call.playback.playing or not call.connected or _on_hold(call):
        return False
    asked = [one.at for one in questions(call.events)] + call.typed
    answers = [one.at for one in call.events if one.type == "speaking" and one.data["turn"] > 0]
    if not asked or not answers or answers[-1] < max(asked):
        return False
    last_sounds = [*call.playback.ended.values(), call.voice_ended_at or 0.0, answers[-1]]
    last_sounds += [one.ready_at for one in call.reconnects]
    return now - max(last_sounds) >= QUIET_SECONDS


def questions(events: Sequence[Event]) -> list[Event]:
    """What the caller has said, but for the words that were found to take no turn."""
    found: list[Event] = []
    for event in events:
        if is_question(event):
            found.append(event)
        elif event.type == "backchannel":
            found = [one for one in found if one.data["turn"] <= event.data["turn"]]
    return found


def is_question(event: Event) -> bool:
    """Whether the event says that the caller has said something."""
    return (
        event.type == "transcription"
        and bool(event.data.get("is_final"))
        and bool(str(event.data.get("message", "")).strip())
    )


def _on_hold(call: Call) -> bool:
    """Whether the engine is away for a moment."""
    held = [one.type for one in call.events if one.type in ("holding", "back")]
    return held[-1:] == ["holding"]


async def _barge_in(call: Call, barge_ins: Sequence[BargeIn]) -> None:
    used = 0  # the newest turn that has been barged into
    for one in barge_ins:
        used = await _next_reply(call, used)
        moment = call.playback.begun[used] + one.seconds
        await asyncio.sleep(max(0.0, moment - time.monotonic()))
        call.mix(one.speech)


async def _next_reply(call: Call, after: int) -> int:
    """The turn of the first reply after that turn, once its first audio is played."""
    while (newest := max(call.playback.begun, default=0)) <= after:
        await call.next_change()
    return newest


def _spoke(call: Call, turn: int) -> bool:
    return any(one.type == "speaking" and one.data["turn"] == turn for one in call.events)
