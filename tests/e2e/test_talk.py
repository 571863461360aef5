"""A person talks to the engine: recorded speech in, speech out, through separate processes."""

import asyncio
import random
import statistics

import numpy as np
import pytest

from benchmarks.barge_in import barge_in
from benchmarks.hearing import hear, total_error_rate
from benchmarks.pacing import pace
from benchmarks.replies import converse
from parley_cli.call import Options, connect
from support import listener, recordings, words
from support.engine import FIVE_SENTENCES, ONE_SENTENCE, Engine

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]


async def test_people_are_understood(engine: Engine) -> None:
    heard = await asyncio.gather(
        hear(engine.url, "two_cities.wav"), hear(engine.url, "beckett.wav")
    )
    assert total_error_rate(list(heard)) <= 0.15, heard


@pytest.mark.parametrize("opener", ["clone-test.wav", "two_cities.wav"])
async def test_the_saved_reply_says_what_the_transcript_claims(engine: Engine, opener: str) -> None:
    (reply,) = await converse(engine, opener)
    assert reply.asked
    assert len(reply.said.split()) >= 3
    assert reply.share_recognised >= 0.85, reply
    stages = [key for key in reply.timeline if key.endswith("_ms")]
    assert {"end_of_turn_ms", "first_token_ms", "first_delivered_ms"} <= set(stages)


async def test_talking_over_the_bot_silences_it_and_history_is_true(engine: Engine) -> None:
    moments = random.Random(3)
    runs = []
    for number in range(10):
        agent, script, longest = (
            ("one", ONE_SENTENCE, 4.5) if number % 2 else ("five", FIVE_SENTENCES, 12.0)
        )
        runs.append(await barge_in(engine.url, agent, script, moments.uniform(0.4, longest)))
    # Generous: a busy machine is late for many reasons. `make bench` gives the figures.
    assert statistics.median(run.silence_ms for run in runs) <= 500
    assert max(run.silence_ms for run in runs) <= 1500
    wrong = [run for run in runs if abs(run.words_wrong) > 1]
    assert not wrong, [(run.words_wrong, run.claimed, run.heard) for run in wrong]


async def test_a_minute_is_paced_and_does_not_drift(engine: Engine) -> None:
    underruns = 'parley_playout_underruns_total{where="segment"}'
    before = engine.service("gateway").metric(underruns)
    paced = await pace(engine.url, "minute")
    assert paced.audio_ms > 50_000
    assert paced.lead_max_ms <= 260
    assert paced.drift_ms < 20
    assert engine.service("gateway").metric(underruns) == before


@pytest.mark.parametrize(("agent", "early"), [("slow", True), ("slow-full", False)])
async def test_delivery_decides_whether_it_speaks_before_all_is_written(
    engine: Engine, agent: str, early: bool
) -> None:
    async with connect(engine.url, Options(agent=agent)) as call:
        await call.text("Tell me about the museum.")
        speaking = await call.wait_for("speaking", turn=1, timeout=40)
        if early:
            await call.wait_for("reply", since=call.events.index(speaking))
        else:
            said = "".join(one.data["text"] for one in call.events if one.type == "reply")
            assert words.normal(said) == words.normal(FIVE_SENTENCES)
        await call.interrupt()
        await call.end()


async def test_the_greeting_comes_first_and_can_be_heard(engine: Engine) -> None:
    async with connect(engine.url, Options(agent="greeting")) as call:
        spoken = await call.wait_for("spoken", turn=0, timeout=20)
        await call.until(lambda: not call.playback.playing, 5)
        assert spoken.data["text"] == "Hello, this is Parley."
        assert "hello" in words.normal(listener.listen(call.bot_audio.tobytes()))
        await call.end()


@pytest.mark.parametrize(
    ("sample_rate", "encoding"), [(8000, "mulaw"), (24_000, "linear16"), (48_000, "linear16")]
)
async def test_every_format_is_heard_and_spoken(
    engine: Engine, sample_rate: int, encoding: str
) -> None:
    options = Options(agent="one", sample_rate=sample_rate, encoding=encoding)  # type: ignore[arg-type]
    speech = np.frombuffer(recordings.recording("clone-test.wav", sample_rate), "<i2")
    async with connect(engine.url, options) as call:
        call.play(speech)
        await call.wait_for("spoken", turn=1, timeout=60, cut_off=False)
        await call.until(lambda: not call.playback.playing, 5)
        final = await call.wait_for("transcription", is_final=True)
        heard = listener.listen(call.bot_audio.tobytes(), sample_rate)
        await call.end()
    assert "America" in final.data["message"]
    assert words.share_recognised(ONE_SENTENCE, heard) >= 0.85


async def test_with_echo_mute_the_bot_does_not_hear_itself(engine: Engine) -> None:
    async with connect(engine.url, Options(agent="mute")) as call:
        await call.text("Tell me about the museum.")
        await call.wait_for("speaking", turn=1, timeout=20)
        await asyncio.sleep(0.5)
        call.play(np.frombuffer(recordings.recording("clone-test.wav"), "<i2")[: 2 * 16_000])
        spoken = await call.wait_for("spoken", turn=1, timeout=20)
        assert not spoken.data["cut_off"]
        assert not [one for one in call.events if one.type == "speech_started"]
        await asyncio.sleep(1.0)
        call.play(np.frombuffer(recordings.recording("clone-test.wav"), "<i2"))
        await call.wait_for("speech_started", timeout=10)
        await call.end()


async def test_protected_speech_goes_on_and_what_was_said_is_answered(engine: Engine) -> None:
    async with connect(engine.url, Options(agent="protected")) as call:
        await call.text("Tell me about the museum.")
        await call.wait_for("speaking", turn=1, timeout=20)
        call.play(np.frombuffer(recordings.recording("clone-test.wav"), "<i2"))
        spoken = await call.wait_for("spoken", turn=1, timeout=30)
        assert not spoken.data["cut_off"]
        await call.wait_for("speaking", turn=2, timeout=20)
        await call.interrupt()
        await call.wait_for("interrupted", turn=2)
        await call.end()
