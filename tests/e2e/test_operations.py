"""Operating a running engine by hand: top, drain, calls, replay, recordings. All of it is real."""

import asyncio
import json
import sys
import time
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from parley_cli.call import Options, connect
from support import recordings
from support.engine import FIVE_SENTENCES, ONE_SENTENCE, Engine, ServiceProcess, reciting

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]
RATE = 16_000
AGENTS: dict[str, dict[str, object]] = {
    "default": reciting(ONE_SENTENCE),
    "five": reciting(FIVE_SENTENCES),
    "private": reciting("All right.", recording=False),
}
Samples = NDArray[np.int16]


@dataclass
class Operated:
    engine: Engine
    recordings: Path

    async def parley(self, *arguments: str) -> tuple[int, str]:
        """The command's exit code and output."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "parley_cli", *arguments),
            *("--nats-url", self.engine.nats.url),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return process.returncode or 0, output.decode()

    async def json(self, *arguments: str) -> Any:
        code, output = await self.parley(*arguments, "--json")
        assert code == 0, output
        return json.loads(output)

    async def recording(self, conversation_id: str) -> Samples:
        """Both channels of a call's recording, once the call is over."""
        async with asyncio.timeout(20):
            while not await asyncio.to_thread(self._complete, conversation_id):
                await asyncio.sleep(0.1)
        with wave.open(str(self.recordings / f"{conversation_id}.wav"), "rb") as file:
            assert (file.getnchannels(), file.getframerate()) == (2, RATE)
            return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)

    def _complete(self, conversation_id: str) -> bool:
        kept = 'parley_recordings_total{outcome="kept"}'
        there = (self.recordings / f"{conversation_id}.wav").exists()
        return there and sum(one.metric(kept) for one in self.engine.running("gateway")) >= len(
            list(self.recordings.iterdir())
        )


@pytest.fixture(scope="module")
def operated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operated]:
    folder = tmp_path_factory.mktemp("operated")
    settings = {"gateway": {"PARLEY_RECORDINGS": str(folder / "recordings")}}
    with Engine(folder / "engine", AGENTS, settings=settings, spare_ports=1) as engine:
        yield Operated(engine, folder / "recordings")


def lag_ms(heard: Samples, said: Samples) -> float:
    """How much later `said` is in `heard`, where the two are most alike."""
    size = 1 << (len(heard) + len(said)).bit_length()
    product = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(said, size))
    best = int(np.argmax(np.fft.irfft(product, size)))
    return (best if best < size // 2 else best - size) * 1000 / RATE


def at_lag(sound: Samples, ms: float, count: int) -> Samples:
    start = round(ms * RATE / 1000)
    return sound[start : start + count]


async def test_a_call_is_watched_recorded_and_told_again(operated: Operated) -> None:
    speech = np.frombuffer(recordings.recording("clone-test.wav"), "<i2")
    async with connect(operated.engine.url, Options()) as call:
        call_id = call.ready.data["conversation_id"]
        call.play(speech)
        await call.wait_for("speaking", turn=1, timeout=60)
        seen = await operated.json("top", "--once")
        await call.wait_for("spoken", turn=1, timeout=60)
        await call.until(lambda: not call.playback.playing, 5)
        await call.end()
    _check_top(seen, call_id)
    await _check_recording(operated, call_id, call.caller_audio, call.bot_audio, speech)
    told = await operated.json("replay", call_id)
    _check_story(told)
    code, text = await operated.parley("replay", call_id, "--speed", "1000")
    assert code == 0
    assert f"bot 1      {ONE_SENTENCE}" in text
    listed = await operated.json("calls", "--state", "ended")
    (mine,) = [one for one in listed if one["id"] == call_id]
    assert (mine["turns"], mine["reason"], mine["recording"]) == (1, "hang_up", f"{call_id}.wav")
    assert mine["voice_to_voice_ms"] > 0


def _check_top(seen: Any, call_id: str) -> None:
    (shown,) = [one for one in seen["calls"] if one["id"] == call_id]
    assert (shown["agent"], shown["state"], shown["turn"]) == ("default", "speaking", 1)
    assert shown["recording"] == f"{call_id}.wav"
    assert seen["stages"]["stt"]["running"] >= 1
    assert all(one["ready"] == 1 for one in seen["stages"].values())
    assert len(seen["gateways"]) == 1
    assert seen["gateways"][0]["id"] == shown["gateway"]
    assert seen["nats"]["rtt_ms"] > 0


async def _check_recording(
    operated: Operated, call_id: str, said: Samples, heard: Samples, speech: Samples
) -> None:
    """Left is what was sent, to the sample; right is what was heard, where it was heard."""
    sound = await operated.recording(call_id)
    caller, bot = sound[:, 0], sound[:, 1]
    left, right = lag_ms(caller, speech), lag_ms(bot, heard)
    assert np.array_equal(at_lag(caller, left, len(speech)), speech)
    # The device's own clock: both of its recordings begin in the same moment.
    there = lag_ms(said, speech)
    # On the way is a frame of the caller's, and the device's buffer of 60 ms before the bot's.
    assert abs((left - there) - right) < 150
    loud = np.flatnonzero(heard)
    first, last = loud[0], loud[-1]
    shift = round(right * RATE / 1000)
    assert np.array_equal(bot[first + shift : last + shift], heard[first:last])
    mode = (await asyncio.to_thread((operated.recordings / f"{call_id}.wav").stat)).st_mode
    assert mode & 0o777 == 0o600


def _check_story(told: Any) -> None:
    assert told["ended_reason"] == "hang_up"
    kinds = [one["kind"] for one in told["events"]]
    assert kinds[:2] == ["started", "recording"]
    assert {"user", "bot", "turn", "ended"} <= set(kinds)
    (turn,) = [one for one in told["events"] if one["kind"] == "turn"]
    assert turn["outcome"] == "spoken"
    assert 0 < turn["voice_to_voice_ms"] == turn["stages_ms"]["first_delivered"]
    at = [one["at_seconds"] for one in told["events"]]
    assert at == sorted(at)
    assert at[0] == 0


async def test_an_interrupt_is_in_the_recording_as_it_was_heard(operated: Operated) -> None:
    async with connect(operated.engine.url, Options(agent="five")) as call:
        call_id = call.ready.data["conversation_id"]
        await call.text("Tell me about the museum.")
        await call.wait_for("speaking", turn=1, timeout=60)
        await asyncio.sleep(2.0)
        await call.interrupt()
        await call.wait_for("interrupted", turn=1)
        await asyncio.sleep(1.0)
        await call.end()
    bot = (await operated.recording(call_id))[:, 1]
    loud = np.flatnonzero(bot)
    seconds = (loud[-1] - loud[0]) / RATE
    assert 1.5 < seconds < 3.5
    assert len(bot) - loud[-1] > RATE / 2  # The silence after it is there as well.


async def test_an_agent_that_is_not_recorded(operated: Operated) -> None:
    async with connect(operated.engine.url, Options(agent="private")) as call:
        call_id = call.ready.data["conversation_id"]
        await call.text("Hello.")
        await call.wait_for("spoken", turn=1, timeout=60)
        await call.end()
    assert not (operated.recordings / f"{call_id}.wav").exists()
    told = await operated.json("replay", call_id)
    assert "recording" not in [one["kind"] for one in told["events"]]


async def test_workers_are_drained_in_mid_call_and_the_call_goes_on(operated: Operated) -> None:
    engine = operated.engine
    old = {stage: engine.service(stage) for stage in ("stt", "tts")}
    for stage in old:
        engine.start(stage)
    await asyncio.to_thread(engine.wait_ready)
    speech = np.frombuffer(recordings.recording("clone-test.wav"), "<i2")
    async with connect(engine.url, Options(agent="five")) as call:
        await call.text("Tell me about the museum.")
        await call.wait_for("speaking", turn=1, timeout=60)
        for stage in old:
            busy = await asyncio.to_thread(engine.busy, stage)
            code, output = await operated.parley("drain", await _id_of(busy[0]))
            assert code == 0, output
            assert ": gone, after" in output
            assert busy[0].process.wait(10) == 0
        spoken = await call.wait_for("spoken", turn=1, timeout=60)
        assert not spoken.data["cut_off"]
        assert spoken.data["text"] == FIVE_SENTENCES
        call.play(speech)
        final = await call.wait_for("transcription", is_final=True, timeout=30)
        await call.end()
    assert "America" in final.data["message"]


async def test_a_gateway_is_drained_and_the_call_moves(operated: Operated) -> None:
    engine = operated.engine
    first = engine.service("gateway")
    engine.start("gateway")
    await asyncio.to_thread(engine.wait_ready)
    async with connect(engine.urls, Options()) as call:
        call_id = call.ready.data["conversation_id"]
        await call.text("Tell me about the museum.")
        await call.wait_for("spoken", turn=1, timeout=60)
        ((holder, name),) = await _holders(operated, call_id)
        code, output = await operated.parley("drain", holder)
        assert code == 0, output
        assert f"{holder}: gone, after" in output
        await call.wait_for("ready", resumed=True, timeout=20)
        await call.text("Once more.")
        await call.wait_for("spoken", turn=2, timeout=60)
        await call.end()
    assert name == f"{call_id}.wav"
    told = await operated.json("replay", call_id)
    kinds = [one["kind"] for one in told["events"]]
    assert kinds.index("ended") < kinds.index("resumed")
    files = [one["file"] for one in told["events"] if one["kind"] == "recording"]
    assert files == [f"{call_id}.wav", f"{call_id}-1.wav"]
    assert all((operated.recordings / one).exists() for one in files)
    if not first.alive:
        engine.replace(first)
        await asyncio.to_thread(engine.wait_ready)


async def test_a_gateway_that_is_killed_leaves_a_recording_up_to_the_last_second(
    operated: Operated,
) -> None:
    async with connect(operated.engine.urls, Options(agent="five")) as call:
        call_id = call.ready.data["conversation_id"]
        await call.text("Tell me about the museum.")
        await call.wait_for("speaking", turn=1, timeout=60)
        await asyncio.sleep(2.0)
        (gateway,) = await asyncio.to_thread(operated.engine.busy, "gateway")
        killed_after = time.monotonic() - call.started_at
        gateway.kill()
        with wave.open(str(operated.recordings / f"{call_id}.wav"), "rb") as file:
            sound = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
        await call.wait_for("ready", resumed=True, timeout=20)
        await call.end()
    # It is written each half second; a busy machine may be late.
    assert killed_after - 2.5 < len(sound) / RATE < killed_after + 1.0
    assert sound[:, 1].any()


async def _holders(operated: Operated, call_id: str) -> list[tuple[str, str]]:
    seen = await operated.json("top", "--once")
    return [(one["gateway"], one["recording"]) for one in seen["calls"] if one["id"] == call_id]


async def _id_of(service: ServiceProcess) -> str:
    found = json.loads(await asyncio.to_thread(service.get, "/readyz"))
    return str(found["worker"])
