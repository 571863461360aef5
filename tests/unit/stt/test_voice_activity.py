import asyncio

import numpy as np
import pytest

from parley_stt.engines.silero import Floats
from parley_stt.voice_activity import VoiceActivity

LOUD = np.full(512, 16384, "<i2").tobytes()
QUIET = bytes(1024)


class Model:
    """The state counts the windows; the probability is the level of the newest sample."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.error: Exception | None = None

    def __call__(self, audio: Floats, state: Floats) -> tuple[Floats, Floats]:
        if self.error:
            raise self.error
        assert audio.shape[1:] == (576,)
        assert state.shape == (2, len(audio), 128)
        self.batches.append(len(audio))
        return audio[:, -1] + audio[:, 0], state + 1


async def test_one_listener_does_not_wait_for_company() -> None:
    model = Model()
    with VoiceActivity(model).listener() as listener:
        assert await listener.probabilities([LOUD]) == [0.5]
        assert await listener.probabilities([QUIET]) == [0.5], "it hears the window before"
        assert listener.state.min() == listener.state.max() == 2


async def test_all_present_share_a_run() -> None:
    model = Model()
    shared = VoiceActivity(model)
    with shared.listener() as one, shared.listener() as two:
        both = await asyncio.gather(one.probabilities([LOUD]), two.probabilities([QUIET]))
        assert tuple(both) == ([0.5], [0.0])
    assert model.batches == [2]


async def test_an_absent_one_delays_nobody_for_long() -> None:
    model = Model()
    shared = VoiceActivity(model)
    with shared.listener() as one, shared.listener():
        assert await asyncio.wait_for(one.probabilities([LOUD]), 1) == [0.5]


async def test_a_backlog_goes_at_once_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parley_stt.voice_activity.LINGER_SECONDS", 3600)
    shared = VoiceActivity(Model())
    with shared.listener() as one, shared.listener():
        assert await one.probabilities([QUIET, LOUD, QUIET]) == [0.0, 0.5, 0.5]
        assert await one.probabilities([LOUD, LOUD]) == [0.5, 1.0]
        assert one.state.min() == one.state.max() == 5


async def test_backlogs_of_any_length_share_a_run() -> None:
    model = Model()
    shared = VoiceActivity(model)
    with shared.listener() as one, shared.listener() as two:
        both = await asyncio.gather(
            one.probabilities([QUIET, LOUD]), two.probabilities([LOUD, QUIET, QUIET, LOUD])
        )
        assert tuple(both) == ([0.0, 0.5], [0.5, 0.5, 0.0, 0.5])
        assert (one.state.max(), two.state.max()) == (2, 4)
    assert model.batches in ([2, 2, 1, 1], [1, 1, 1, 1, 1, 1])


async def test_a_failure_reaches_who_waits() -> None:
    model = Model()
    model.error = RuntimeError("broken")
    with VoiceActivity(model).listener() as one, pytest.raises(RuntimeError, match="broken"):
        await one.probabilities([LOUD])


async def test_one_that_left_does_not_disturb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parley_stt.voice_activity.LINGER_SECONDS", 3600)
    shared = VoiceActivity(Model())
    with shared.listener() as one:
        with shared.listener() as two:
            left = asyncio.create_task(two.probabilities([LOUD]))
            await asyncio.sleep(0)
            left.cancel()
            with pytest.raises(asyncio.CancelledError):
                await left
        assert await one.probabilities([LOUD]) == [0.5]
