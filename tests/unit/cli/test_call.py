import time

import numpy as np
import pytest
from unit.cli.line import Line, a_reply, answering

from parley.audio import mulaw_decode
from parley_cli import latency
from parley_cli.call import CallEnded, CallRefused, Options, connect
from parley_cli.script import BargeIn, Script, perform


def speech(ms: int, value: int = 4000) -> np.ndarray:
    return np.full(16 * ms, value, np.int16)


async def test_a_whole_call() -> None:
    async with answering(a_reply) as (url, lines), connect(url, Options(token="t&t")) as call:
        call.play(speech(200))
        final = await call.wait_for("transcription", is_final=True, timeout=5)
        assert final.data["message"] == "hello"
        await call.wait_for("spoken", turn=1, timeout=5)
        await call.end()
        assert call.over and call.events[-1].type == "end"
    (line,) = lines
    assert line.query == {
        "agent": "default",
        "sample_rate": "16000",
        "encoding": "linear16",
        "token": "t&t",
    }
    heard = np.frombuffer(bytes(line.audio), "<i2")
    assert (heard[: 16 * 200] == 4000).all() and not heard[16 * 200 :].any()
    assert np.count_nonzero(call.caller_audio) == 16 * 200
    assert np.count_nonzero(call.bot_audio) == 16 * 400
    reports = [one["ms"] for one in line.messages if one["type"] == "playback"]
    assert reports == sorted(reports) and reports[-1] == 400


async def test_voice_to_voice_is_seen_in_the_recordings() -> None:
    async with answering(a_reply) as (url, _), connect(url) as call:
        call.play(speech(200))
        await call.wait_for("spoken", timeout=5)
    (turn,) = latency.of_call(call)
    # The server answers 300 ms after the start, and the playback buffer holds 40 ms.
    assert turn.turn == 1 and turn.voice_to_voice_ms is not None
    assert 130 <= turn.voice_to_voice_ms <= 250


async def test_both_recordings_follow_the_clock() -> None:
    async def silent(line: Line) -> None:
        await line.ready()
        await line.listen("end")

    async with answering(silent) as (url, _), connect(url) as call:
        await call.until(lambda: time.monotonic() - call.started_at > 0.5, 2)
        elapsed = (time.monotonic() - call.started_at) * 16_000
        for recording in (call.caller_audio, call.bot_audio):
            assert abs(len(recording) - elapsed) <= 2 * 320


async def test_clear_silences_at_once_and_is_reported() -> None:
    async def interrupted(line: Line) -> None:
        await line.ready()
        await line.say("speaking", turn=1)
        await line.speak(1000)
        await line.listen("interrupt")
        line.messages.clear()
        await line.say("clear")
        await line.listen("playback")
        await line.say("interrupted", turn=1)
        await line.listen("end")

    async with answering(interrupted) as (url, lines), connect(url) as call:
        await call.until(lambda: 1 in call.playback.begun, 2)
        await call.interrupt()
        await call.wait_for("interrupted", timeout=2)
        assert not call.playback.playing
        played = np.count_nonzero(call.bot_audio)
        assert 0 < played < 16 * 900
        assert lines[0].messages[-1] == {"type": "playback", "turn": 1, "ms": round(played / 16, 1)}


async def test_a_backchannel_is_nothing_to_reply_to() -> None:
    async def asks(line: Line) -> None:
        await line.ready()
        await line.hear(ms=100)
        await line.say("backchannel", message="mhm", turn=0)
        await line.say("speaking", turn=1)
        await line.speak(60)
        await line.listen("playback", ms=60)
        await line.say("spoken", turn=1, text="Are you there?", cut_off=False)
        await line.listen("end")

    async with answering(asks) as (url, _), connect(url) as call:
        call.play(speech(60))
        await call.wait_for("spoken", timeout=5)
    assert latency.of_call(call) == [latency.TurnLatency(1, None)]


async def test_mulaw() -> None:
    frames: list[bytes] = []

    async def one_frame(line: Line) -> None:
        await line.ready()
        await line.hear(ms=20, bytes_per_ms=8)
        frames.append(bytes(line.audio))
        await line.say("speaking", turn=0)
        await line.socket.send(frames[0])
        await line.listen("end")

    options = Options(sample_rate=8000, encoding="mulaw")
    async with answering(one_frame) as (url, _), connect(url, options) as call:
        call.play(np.full(8 * 20, 1000, np.int16))
        await call.until(lambda: 0 in call.playback.ended, 2)
        await call.end(0.1)
    assert len(frames[0]) == 160
    sent = np.frombuffer(mulaw_decode(frames[0]), "<i2")
    assert abs(int(sent[0]) - 1000) < 40
    assert call.bot_audio.max() == sent[0]


async def test_refusals() -> None:
    async def refuse(line: Line) -> None:
        await line.say("error", code="no_capacity", message="all lines are busy", fatal=True)
        await line.socket.close(4503, "busy")

    async with answering(refuse) as (url, _):
        with pytest.raises(CallRefused, match="all lines are busy") as refusal:
            async with connect(url):
                pass
        assert refusal.value.code == "no_capacity"
    with pytest.raises(CallRefused, match="parley up"):
        async with connect(url):
            pass
    with pytest.raises(CallRefused, match="not a WebSocket address"):
        async with connect("localhost:8080"):
            pass


async def test_a_call_that_breaks_off() -> None:
    async def hang_up(line: Line) -> None:
        await line.ready()
        await line.say("error", code="lost", message="nobody can speak", fatal=True)
        await line.socket.close(4500, "lost")

    async with answering(hang_up) as (url, _), connect(url) as call:
        with pytest.raises(CallEnded, match="nobody can speak"):
            await call.wait_for("speaking", timeout=2)
        assert [event.type async for event in call.follow()] == ["ready", "error"]
        await call.text("is anyone there?")
        await call.end()
        assert call.close_code == 4500


async def test_waiting_in_vain() -> None:
    async def silent(line: Line) -> None:
        await line.ready()
        await line.listen("end")

    async with answering(silent) as (url, _), connect(url) as call:
        with pytest.raises(TimeoutError, match="no reply"):
            await call.wait_for("reply", timeout=0.1, turn=1)


async def test_the_script_waits_for_the_greeting_and_barges_in() -> None:
    async def greets(line: Line) -> None:
        await line.ready()
        await line.say("speaking", turn=0)
        await line.speak(100)
        await line.say("spoken", turn=0, text="hello", cut_off=False)
        await line.listen("text")
        await line.say("speaking", turn=1)
        await line.speak(400)
        await line.listen("end")
        await line.say("end", reason="bye")

    script = Script(text="who are you?", barge_ins=[BargeIn(speech(60), 0.2)], wait_seconds=10)
    async with answering(greets) as (url, _), connect(url) as call:
        assert await perform(call, script)
    cut_in = np.flatnonzero(call.caller_audio)
    assert len(cut_in) == 16 * 60
    after = call.started_at + cut_in[0] / 16_000 - call.playback.begun[1]
    assert 0.17 <= after <= 0.26
    assert call.typed[0] >= call.playback.ended[0]


async def test_nobody_answers() -> None:
    async def silent(line: Line) -> None:
        await line.ready()
        await line.listen("end")

    async with answering(silent) as (url, _), connect(url) as call:
        assert not await perform(call, Script(speech=speech(20), wait_seconds=0.2))
