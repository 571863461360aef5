"""A call goes on over another connection: nothing is said twice, nothing is lost."""

import asyncio

import numpy as np
import pytest
from unit.cli.line import Line, answering, goes_on, in_turn

from parley_cli.call import Call, Options, connect

RATE = 16_000
KHZ = RATE // 1000


def ramp(ms: int, start: int = 1) -> np.ndarray:
    """Audio in which each sample is another."""
    return np.arange(start, start + ms * KHZ, dtype=np.int16)


def samples(line: Line) -> np.ndarray:
    return np.frombuffer(bytes(line.audio), "<i2")


def heard(call: Call) -> int:
    """How many samples of the bot's voice were played."""
    return int(np.count_nonzero(call.bot_audio))


# --- The caller's audio


@pytest.mark.parametrize("understood_ms", [0.0, 137.0, 260.0625])
async def test_the_callers_audio_goes_on_from_the_very_sample(understood_ms: float) -> None:
    async def killed(line: Line) -> None:
        await line.ready()
        await line.hear(ms=300)
        line.drop()

    async def next_one(line: Line) -> None:
        await asyncio.sleep(0.2)  # what is captured now has to be sent as well
        await line.resume(audio_from_ms=understood_ms)
        await line.listen("end")

    start = round(understood_ms * KHZ)
    async with answering(in_turn(killed, next_one)) as (url, lines), connect(url) as call:
        call.play(ramp(1000))
        await call.wait_for("ready", resumed=True)
        await call.until(lambda: start + len(samples(lines[1])) > RATE, 5)
        await call.end(0.5)
    first, second = lines
    said = call.caller_audio
    assert np.count_nonzero(said) == RATE
    assert float(second.query["audio_ms"]) == 0
    assert samples(first).tolist() == said[: len(samples(first))].tolist()
    assert samples(second).tolist() == said[start : start + len(samples(second))].tolist()


async def test_mulaw_audio_goes_on_too() -> None:
    async def killed(line: Line) -> None:
        await line.ready()
        await line.hear(ms=100, bytes_per_ms=8)
        line.drop()

    async def next_one(line: Line) -> None:
        await line.resume(audio_from_ms=60.0)
        await line.listen("end")

    options = Options(sample_rate=8000, encoding="mulaw")
    async with answering(in_turn(killed, next_one)) as (url, lines), connect(url, options) as call:
        call.play(np.arange(1, 4001, dtype=np.int16) * 8)
        await call.wait_for("ready", resumed=True)
        await call.until(lambda: not call.voice.pending, 5)
        await call.end(0.5)
    first, second = (bytes(line.audio) for line in lines)
    overlap = len(first) - 60 * 8
    assert overlap > 0 and second[:overlap] == first[60 * 8 :]


# --- The bot's audio


async def test_the_bot_goes_on_from_the_very_sample() -> None:
    """Through an attempt that fails, during which what is buffered plays on."""
    voice = ramp(800)

    async def killed(line: Line) -> None:
        await line.ready()
        await line.say("speaking", turn=1)
        await line.play(voice[: 400 * KHZ])
        await line.listen("playback")
        line.drop()

    async def also_killed(line: Line) -> None:
        line.drop()

    async def next_one(line: Line) -> None:
        await line.resume()
        await line.say("speaking", turn=1)
        await line.play(voice[round(float(line.query["heard_ms"]) * KHZ) :])
        await line.listen("end")

    talks = in_turn(killed, also_killed, next_one)
    async with answering(talks) as (url, lines), connect(url) as call:
        await call.wait_for("ready", resumed=True)
        await call.until(lambda: heard(call) >= len(voice), 5)
        await call.end(0.5)
    assert call.bot_audio[np.flatnonzero(call.bot_audio)].tolist() == voice.tolist()
    before, after = (line.query for line in lines[1:])
    assert before["heard_turn"] == after["heard_turn"] == "1"
    assert float(before["heard_ms"]) < float(after["heard_ms"])


async def test_what_is_buffered_plays_on_while_nobody_answers() -> None:
    async def killed(line: Line) -> None:
        await line.ready()
        await line.say("speaking", turn=1)
        await line.speak(300)
        line.drop()

    async with answering(killed) as (url, _):
        calling = connect(url)
        call = await calling.__aenter__()
        await call.wait_for("connection_lost")
    await call.until(lambda: heard(call) == 300 * KHZ, 5)
    assert not call.connected and call.playback.gaps == []
    await call.end()
    assert call.over
    await calling.__aexit__(None, None, None)


async def test_each_connection_counts_the_turn_from_where_it_went_on() -> None:
    async def part(line: Line) -> None:
        await line.say("speaking", turn=1)
        await line.speak(200)
        await line.listen("playback")
        line.drop()

    async def first(line: Line) -> None:
        await line.ready()
        await part(line)

    async def second(line: Line) -> None:
        await asyncio.sleep(0.4)
        await line.resume()
        await part(line)

    async def third(line: Line) -> None:
        await line.resume()
        line.drop()

    talks = in_turn(first, second, third, goes_on)
    async with answering(talks) as (url, lines), connect(url) as call:
        await call.until(lambda: len(call.reconnects) == 3, 10)
        await call.end(0.5)
    assert all(line.query["heard_turn"] == "1" for line in lines[1:])
    counts = [float(line.query["heard_ms"]) for line in lines[1:]]
    assert 0 < counts[0] <= 200 and 0 < counts[1] <= 200
    assert counts[2] == 0, "of what the third connection goes on with, nothing was heard"


async def test_after_a_pause_a_turn_is_counted_from_where_it_went_on() -> None:
    voice = ramp(600)

    async def pauses(line: Line) -> None:
        await line.ready()
        await line.say("speaking", turn=1)
        await line.play(voice[: 400 * KHZ])
        await line.listen("playback", ms=100)
        await line.say("clear")
        await line.listen("playback")
        await line.say("paused", turn=1)
        await line.say("resumed", turn=1, ms=90.5)
        await line.play(voice[1448 : 300 * KHZ])
        await line.listen("playback", ms=300)
        line.drop()

    async with answering(in_turn(pauses, goes_on)) as (url, lines), connect(url) as call:
        await call.wait_for("ready", resumed=True)
        await call.end(0.5)
    assert (lines[1].query["heard_turn"], float(lines[1].query["heard_ms"])) == ("1", 300)
    played, rest = call.bot_audio[np.flatnonzero(call.bot_audio)], voice[1448 : 300 * KHZ]
    stopped = len(played) - len(rest)
    assert played.tolist() == [*voice[:stopped], *rest]
    assert round(stopped / KHZ, 1) in [one["ms"] for one in lines[0].messages]
    assert call.playback.gaps == []


async def test_the_end_of_a_turn_that_the_server_counts_as_heard_is_not_lost() -> None:
    async def killed(line: Line) -> None:
        await line.ready()
        await line.say("speaking", turn=1)
        await line.speak(200)
        await line.say("spoken", turn=1, text="hi", cut_off=False)
        line.drop()

    async with answering(in_turn(killed, goes_on)) as (url, lines), connect(url) as call:
        await call.wait_for("ready", resumed=True)
        await call.until(lambda: heard(call) == 200 * KHZ, 5)
        await call.end(0.5)
    assert float(lines[1].query["heard_ms"]) == 200
