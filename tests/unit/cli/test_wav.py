import wave
from pathlib import Path

import numpy as np
import pytest

from parley_cli import wav
from parley_cli.errors import Failure


def save(path: Path, data: bytes, rate: int, channels: int = 1, width: int = 2) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(data)
    return path


def sine(rate: int, seconds: float = 1.0, hertz: float = 440.0) -> np.ndarray:
    times = np.arange(int(rate * seconds)) / rate
    return (10_000 * np.sin(2 * np.pi * hertz * times)).astype("<i2")


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
def test_any_rate_becomes_the_calls_rate(tmp_path: Path, rate: int) -> None:
    path = save(tmp_path / "a.wav", sine(rate).tobytes(), rate)
    speech = wav.read(path, 16_000)
    assert abs(len(speech) - 16_000) <= 2
    spectrum = np.abs(np.fft.rfft(speech))
    assert abs(int(spectrum.argmax()) - 440) <= 1


def test_channels_are_mixed(tmp_path: Path) -> None:
    both = np.array([[100, 300], [-100, -300]], "<i2")
    path = save(tmp_path / "a.wav", both.tobytes(), 16_000, channels=2)
    assert wav.read(path, 16_000).tolist() == [200, -200]


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    wide = save(tmp_path / "wide.wav", bytes(30), 16_000, width=3)
    other = tmp_path / "other.wav"
    other.write_bytes(b"OggS and so on")
    with pytest.raises(Failure, match="24-bit"):
        wav.read(wide, 16_000)
    with pytest.raises(Failure, match="not a PCM WAV"):
        wav.read(other, 16_000)
    with pytest.raises(Failure, match="No such file"):
        wav.read(tmp_path / "missing.wav", 16_000)


def test_the_call_is_saved_in_stereo(tmp_path: Path) -> None:
    path = tmp_path / "new" / "call.wav"
    wav.write_stereo(path, np.array([1, 2, 3], np.int16), np.array([9], np.int16), 8_000)
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (2, 8_000, 2)
        data = np.frombuffer(file.readframes(10), "<i2").reshape(-1, 2)
    assert data.tolist() == [[1, 9], [2, 0], [3, 0]]
