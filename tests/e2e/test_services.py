"""The services really are separate: started, stopped and scaled on their own, in any order."""

import signal
import time
from pathlib import Path

import numpy as np
import pytest

from parley_cli.call import CallRefused, Options, connect
from support import recordings
from support.engine import Engine
from support.nats import free_port

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]


class Empty(Engine):
    """An engine in which nothing runs yet, not even NATS."""

    def __enter__(self) -> "Empty":
        return self


async def answers(engine: Engine) -> None:
    async with connect(engine.url, Options(agent="short")) as call:
        await call.text("Hello.")
        await call.wait_for("spoken", turn=1, timeout=30, text="All right.")
        await call.end()


async def test_any_order_and_two_of_each(tmp_path: Path) -> None:
    with Empty(tmp_path) as engine:
        for name in ("tts", "gateway"):
            engine.start(name)
        engine.nats.start()
        engine.start("stt")
        gateway = engine.service("gateway")
        _until(lambda: engine.service("tts").ready and engine.service("stt").ready)
        assert not gateway.ready
        engine.start("agent")
        engine.wait_ready()
        await answers(engine)

        for name in ("stt", "agent", "tts"):
            engine.start(name)
        engine.wait_ready()
        await answers(engine)
        for name in ("stt", "agent", "tts"):
            first = next(one for one in engine.services if one.name == name)
            assert first.stop() == 0
        await answers(engine)

        last = engine.service("tts")
        assert last.stop() == 0
        _until(lambda: not gateway.ready)
        engine.start("tts")
        engine.wait_ready()
        await answers(engine)


def test_a_service_says_what_keeps_it_from_running(tmp_path: Path) -> None:
    with Empty(tmp_path) as engine:
        engine.nats.start()
        engine.agents.write_text("agents:\n  default:\n    ecco: x\n")
        wrong = engine.start("gateway")
        assert wrong.process.wait(30) == 1
        assert "did you mean 'echo'" in wrong.log.read_text()
        missing = engine.start("stt", PARLEY_WARM="nobody")
        assert missing.process.wait(30) == 1
        assert "no stt provider 'nobody' is installed here" in missing.log.read_text()
        engine.services.clear()


def test_without_nats_a_service_stops_when_told(tmp_path: Path) -> None:
    with Empty(tmp_path) as engine:
        engine.nats.start()
        tts = engine.start("tts")
        _until(lambda: tts.ready)
        engine.nats.stop()
        _until(lambda: not tts.ready)
        assert tts.stop(signal.SIGTERM) == 0


async def test_a_second_gateway_with_a_token_and_one_line(engine: Engine) -> None:
    port = free_port()
    gateway = engine.start(
        "gateway",
        PARLEY_PORT=str(port),
        PARLEY_TOKEN="open-sesame",
        PARLEY_MAX_CONVERSATIONS="1",
        PARLEY_DRAIN_SECONDS="2",
    )
    _until(lambda: gateway.ready)
    url = f"ws://127.0.0.1:{port}/conversation"
    for token in (None, "open-sesam"):
        with pytest.raises(CallRefused) as refused:
            async with connect(url, Options(agent="short", token=token)):
                pass
        assert refused.value.code == "unauthorized"
    options = Options(agent="minute", token="open-sesame", reconnect=False)
    async with connect(url, options) as call:
        await call.text("Tell me about the museum.")
        await call.wait_for("speaking", timeout=20)
        with pytest.raises(CallRefused) as refused:
            async with connect(url, options):
                pass
        assert refused.value.code == "no_capacity"
        gateway.process.terminate()
        _until(lambda: not gateway.ready)
        with pytest.raises(CallRefused) as refused:
            async with connect(url, options):
                pass
        assert refused.value.code == "draining"
        ended = await call.wait_for("error", code="draining", timeout=20)
        assert ended.data["fatal"]
        await call.until(lambda: call.over, 10)
    assert call.close_code == 4504
    assert gateway.stop() == 0
    assert "open-sesame" not in gateway.log.read_text()


async def test_a_killed_transcriber_is_replaced_while_the_call_goes_on(engine: Engine) -> None:
    engine.start("stt")
    engine.wait_ready()
    async with connect(engine.url, Options(agent="short")) as call:
        workers = [one for one in engine.services if one.name == "stt"]
        running = 'parley_worker_jobs_running{stage="stt"}'
        busy = next(one for one in workers if one.metric(running) == 1)
        busy.stop(signal.SIGKILL)
        other = next(one for one in workers if one is not busy)
        _until(lambda: other.metric(running) == 1)
        call.play(np.frombuffer(recordings.recording("clone-test.wav"), "<i2"))
        heard = await call.wait_for("transcription", is_final=True, timeout=30)
        await call.end()
    assert "America" in heard.data["message"]


def _until(condition: object, timeout: float = 90) -> None:
    deadline = time.monotonic() + timeout
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.1)
