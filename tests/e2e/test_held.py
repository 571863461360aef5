"""NATS goes away under a call: the caller is told, and the call goes on when it is back."""

from collections.abc import Iterator

import numpy as np
import pytest

from parley_cli.call import connect
from support import listener, recordings, words
from support.engine import ONE_SENTENCE, Engine, reciting

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

HOLD = "One moment, please hold the line."


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    profile = reciting(ONE_SENTENCE, holdMessage=HOLD)
    with Engine(tmp_path_factory.mktemp("held"), {"default": profile}) as engine:
        yield engine


async def test_a_call_is_held_and_goes_on(held: Engine) -> None:
    async with connect(held.url) as call:
        # Both prepared sentences have been spoken once the voice has done two jobs.
        done = 'parley_worker_jobs_total{outcome="done",stage="tts"}'
        await call.until(lambda: held.service("tts").metric(done) >= 2, 60)
        held.nats.stop()
        await call.wait_for("holding", timeout=30)
        # What the caller says meanwhile is not lost.
        call.play(np.frombuffer(recordings.recording("clone-test.wav"), "<i2"))
        await call.until(lambda: call.voice_ended_at is not None, 30)
        held.nats.start()
        await call.wait_for("back", timeout=30)
        heard = await call.wait_for("transcription", is_final=True, timeout=30)
        spoken = await call.wait_for("spoken", turn=1, timeout=60)
        await call.end()
    assert "America" in heard.data["message"]
    assert spoken.data["text"] == ONE_SENTENCE
    recording = listener.listen(call.bot_audio.tobytes())
    assert words.share_recognised(f"{HOLD} {ONE_SENTENCE}", recording) >= 0.85, recording
