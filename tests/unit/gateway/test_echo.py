"""The echo policies: what comes out of what the caller's microphone hears."""

import asyncio

import numpy as np
import pytest

from parley.audio import SAMPLE_RATES
from parley_gateway.echo import Echo, EchoCancel, EchoMute, Overheard, echo_for
from parley_gateway.protocol import AudioFormat, ServerEvent, event

FRAME_SECONDS = 0.02


def nothing(_: bool) -> None:
    pass


def noise(seconds: float, rate: int, level: float, seed: int) -> np.ndarray:
    samples = np.random.default_rng(seed).normal(0, level, int(seconds * rate))
    return samples.clip(-32768, 32767).astype(np.int16)


def power(samples: np.ndarray) -> float:
    return float(np.mean(samples.astype(np.float64) ** 2)) + 1e-9


def listen(echo: Echo, bot: np.ndarray, microphone: np.ndarray, rate: int) -> np.ndarray:
    """Both in real time from 10.0 s on; the bot delivered 160 ms ahead, as playout does."""
    frame, out = int(FRAME_SECONDS * rate), b""
    delivered = 0
    for number in range(len(microphone) // frame):
        now = 10.0 + number * FRAME_SECONDS
        while delivered < min(number + 9, len(bot) // frame):
            echo.played(now, bot[delivered * frame : (delivered + 1) * frame].tobytes())
            delivered += 1
        chunk = microphone[number * frame : (number + 1) * frame]
        out += echo.heard(chunk.tobytes(), now + FRAME_SECONDS)
    return np.frombuffer(out, np.int16)


def test_the_policy_chooses() -> None:
    assert type(echo_for("client", 16_000, nothing)) is Echo
    assert isinstance(echo_for("mute", 16_000, nothing), EchoMute)
    assert isinstance(echo_for("cancel", 16_000, nothing), EchoCancel)


def test_with_policy_client_audio_passes_as_it_is() -> None:
    echo = echo_for("client", 16_000, nothing)
    echo.played(1.0, bytes(640))
    echo.cleared(1.0)
    assert echo.heard(b"\x01\x02\x03\x04", 1.0) == b"\x01\x02\x03\x04"


async def test_mute_lasts_a_little_longer_than_the_bot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parley_gateway.echo.mute.ECHO_TAIL_SECONDS", 0.001)
    muted: list[bool] = []
    unmuted = asyncio.Event()

    def mute(value: bool) -> None:
        muted.append(value)
        if not value:
            unmuted.set()

    echo = echo_for("mute", 16_000, mute)
    echo.bot_heard()
    echo.bot_silent()
    assert muted == [True]
    await asyncio.wait_for(unmuted.wait(), 2)
    assert muted == [True, False]


async def test_a_turn_that_begins_during_the_tail_stays_muted() -> None:
    muted: list[bool] = []
    echo = echo_for("mute", 16_000, muted.append)
    echo.bot_heard()
    echo.bot_silent()
    echo.bot_heard()
    echo.close()
    assert muted == [True, True]


@pytest.mark.parametrize("rate", SAMPLE_RATES)
def test_the_bots_voice_is_taken_out(rate: int) -> None:
    bot, later = noise(2.5, rate, 2000, 1), int(0.2 * rate)
    microphone = noise(2.5, rate, 3, 2)
    microphone[later:] += bot[:-later] // 2
    out = listen(echo_for("cancel", rate, nothing), bot, microphone, rate)
    assert len(out) == len(microphone)
    assert power(out[rate:]) < power(microphone[rate:]) / 100


def test_the_caller_alone_is_heard_with_a_small_constant_delay() -> None:
    caller = noise(2.0, 16_000, 2000, 3)
    out = listen(echo_for("cancel", 16_000, nothing), caller[:0], caller, 16_000)
    late = out[16_128:24_128].astype(float)
    said = caller[16_000:24_000].astype(float)
    assert np.corrcoef(late, said)[0, 1] > 0.95


def test_what_was_cleared_is_not_taken_for_echo() -> None:
    rate = 16_000
    echo, bot, caller = EchoCancel(rate), noise(1.0, rate, 2000, 4), noise(1.0, rate, 2000, 4)
    echo.played(10.0, bot.tobytes())
    echo.cleared(10.0)
    out = listen(echo, bot[:0], caller, rate)
    assert power(out[rate // 2 :]) > power(caller[rate // 2 :]) / 4


def test_audio_in_odd_pieces_comes_out_whole() -> None:
    rate, said = 16_000, noise(1.0, 16_000, 2000, 5)
    whole = EchoCancel(rate).heard(said.tobytes(), 11.0)
    echo, out, at = EchoCancel(rate), b"", 0
    for size in [1, 7, 159, 160, 161, 333, 0, 2000] * 6:
        piece = said[at : at + size]
        at += len(piece)
        out += echo.heard(piece.tobytes(), 10.0 + at / rate)
        assert 0 <= at * 2 - len(out) < 320
    assert out == whole[: len(out)]


class Line:
    """A client that keeps what it is told."""

    def __init__(self) -> None:
        self.format = AudioFormat(16_000, "linear16")
        self.log: list[object] = []
        self.undelivered_ms = 12.0

    def send_event(self, event: ServerEvent) -> None:
        self.log.append(event)

    def send_audio(self, pcm: bytes) -> None:
        self.log.append(pcm)

    def clear(self) -> None:
        self.log.append("clear")


class Ear(Echo):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.log: list[object] = []

    def played(self, at: float, pcm: bytes) -> None:
        self.log.append((at, pcm))

    def cleared(self, at: float) -> None:
        self.log.append((at, "clear"))


def test_whatever_is_sent_to_the_caller_is_overheard() -> None:
    line, ear = Line(), Ear()
    client = Overheard(line, ear, lambda: 3.0)
    said = event("speaking", turn=1)
    client.send_event(said)
    client.send_audio(b"12")
    client.clear()
    assert line.log == [said, b"12", "clear"]
    assert ear.log == [(3.0, b"12"), (3.0, "clear")]
    assert client.undelivered_ms == 12.0
    assert client.format is line.format
