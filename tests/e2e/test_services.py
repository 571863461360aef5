"""The services really are separate: started, stopped and scaled on their own, in any order."""

import signal
import time
from pathlib import Path

import pytest

from parley_cli.call import Options, connect
from support.engine import Engine

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


def _until(condition: object, timeout: float = 90) -> None:
    deadline = time.monotonic() + timeout
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.1)
