"""How long the caller's ear was dry is measured, once there is sound again."""

from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import REGISTRY

from parley.frames import AudioFrame
from parley_gateway.protocol import AudioFormat
from parley_gateway.speech import Speech

SECOND = bytes(2 * 16_000)


class Anything:
    """Takes whatever it is told."""

    format = AudioFormat(16_000, "linear16")
    undelivered_ms = 0.0

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: None


@pytest.fixture
async def speech() -> Speech:
    nobody: Any = Anything()
    told: Any = lambda *_: None  # noqa: E731
    made = Speech(1, nobody, nobody, nobody, nobody, nobody, told, told, told)
    made.spoken.add("One sentence, in pieces.")
    return made


def gaps(where: str = "segment") -> tuple[float, float]:
    """How many, and how long together."""
    name, labels = "parley_playout_gap_seconds", {"where": where}
    count = REGISTRY.get_sample_value(f"{name}_count", labels)
    return count or 0.0, REGISTRY.get_sample_value(f"{name}_sum", labels) or 0.0


def audio(seq: int) -> AudioFrame:
    return AudioFrame(1, 1, seq, 0, 0, SECOND)


def play(speech: Speech, begin: float, end: float) -> Iterator[float]:
    """Tick it every 20 ms."""
    for tick in range(round(begin * 50), round(end * 50)):
        speech.tick(tick / 50)
        yield tick / 50


async def test_a_gap_is_measured_when_it_ends(speech: Speech) -> None:
    count, total = gaps()
    speech._take(audio(0))
    list(play(speech, 0, 1.4))
    assert gaps()[0] == count, "it is not over"
    speech._take(audio(1))
    list(play(speech, 1.4, 1.6))
    assert gaps()[0] == count + 1
    assert gaps()[1] - total == pytest.approx(0.4, abs=0.03)


async def test_silence_that_the_bot_keeps_itself_is_no_gap(speech: Speech) -> None:
    count, _ = gaps()
    speech._take(audio(0))
    list(play(speech, 0, 1.4))
    speech.hold()
    speech._take(audio(1))
    speech.release()
    list(play(speech, 3.0, 3.2))
    assert gaps()[0] == count
