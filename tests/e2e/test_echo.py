"""A caller on a loudspeaker, whose microphone hears the bot: with echo `cancel`."""

import asyncio
import math
import time
from collections.abc import Iterator

import numpy as np
import pytest

from parley_cli.call import Call, Options, connect
from support import recordings, words
from support.engine import FIVE_SENTENCES, Engine, reciting
from support.loudspeaker import put_on_loudspeaker

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

RATE = 16_000
SAID = "I think that America do it very well"
"""Words of clone-test.wav."""
AFTERMATH_SECONDS = 3.0
"""Longer than the longest pause before what was heard would be answered."""


@pytest.fixture(scope="module")
def loud_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine that cancels the echo of five sentences."""
    profiles = {"loud": reciting(FIVE_SENTENCES, echo="cancel")}
    with Engine(tmp_path_factory.mktemp("loud"), profiles) as running:
        yield running


async def ask(call: Call, turn: int) -> float:
    """Have the bot speak; when (s) its first sample was played."""
    await call.text("Tell me about the museum.")
    await call.wait_for("speaking", turn=turn, timeout=20)
    begun = call.playback.begun
    await call.until(lambda: time.monotonic() >= begun.get(turn, math.inf), 10)
    return begun[turn]


@pytest.mark.parametrize("delay_ms", [50, 150, 300])
async def test_the_bot_is_not_stopped_or_answered_by_its_own_words(
    loud_engine: Engine, delay_ms: float
) -> None:
    async with connect(loud_engine.url, Options(agent="loud", jitter_ms=20)) as call:
        put_on_loudspeaker(call, delay_ms)
        await ask(call, 1)
        spoken = await call.wait_for("spoken", turn=1, timeout=60)
        await call.until(lambda: not call.playback.playing, 5)
        await asyncio.sleep(AFTERMATH_SECONDS)
        echo = recordings.level(call.caller_audio.tobytes())
        await call.end()
    assert echo > 0.01, "the microphone heard no echo"
    assert not spoken.data["cut_off"]
    assert words.normal(spoken.data["text"]) == words.normal(FIVE_SENTENCES)
    happened = [one.type for one in call.events]
    assert "interrupted" not in happened
    assert happened.count("speaking") == 1, "it has answered itself"


async def test_a_caller_on_a_loudspeaker_can_still_barge_in(loud_engine: Engine) -> None:
    speech = np.frombuffer(recordings.recording("clone-test.wav", RATE), "<i2")
    onset = int(np.argmax(np.abs(speech) > 0.1 * np.abs(speech).max()))
    async with connect(loud_engine.url, Options(agent="loud", jitter_ms=20)) as call:
        put_on_loudspeaker(call, 150)
        begun = await ask(call, 1)
        await call.until(lambda: time.monotonic() >= begun + 4.0, 10)
        call.play(speech[onset:])
        await call.wait_for("interrupted", turn=1, timeout=5)
        await call.wait_for("speaking", turn=2, timeout=30)
        finals = [one.data["message"] for one in call.events if one.data.get("is_final")]
        await call.end()
    assert words.share_recognised(SAID, " ".join(finals)) >= 0.6, finals
