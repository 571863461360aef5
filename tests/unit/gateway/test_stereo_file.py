"""The file of a recording: a whole WAV after each write."""

import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from parley_gateway.stereo_file import StereoFile
from parley_gateway.tape import BOT, CALLER, Piece

RATE = 8_000


def read(path: Path) -> NDArray[np.int16]:
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, RATE)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)


def piece(channel: int, start: int, *values: int) -> Piece:
    return Piece(channel, start, np.array(values, "<i2").tobytes())


def test_it_is_whole_after_each_write_without_being_closed(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    file = StereoFile(path, RATE)
    assert len(read(path)) == 0
    file.write([piece(CALLER, 1, 1, 2), piece(BOT, 2, 7, 8)], 3)
    assert read(path).tolist() == [[0, 0], [1, 0], [2, 7], [0, 8]]
    file.write([piece(CALLER, 4, 3)], 6)
    assert read(path).tolist() == [[0, 0], [1, 0], [2, 7], [0, 8], [3, 0], [0, 0]]
    file.close()


def test_later_pieces_go_over_earlier_ones_of_their_own_channel(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    file = StereoFile(path, RATE)
    file.write([piece(CALLER, 0, 1, 1, 1, 1), piece(BOT, 0, 5, 5, 5, 5)], 4)
    file.write([piece(BOT, 2, 0, 0)], 4)
    assert read(path).tolist() == [[1, 5], [1, 5], [1, 0], [1, 0]]
    file.close()


def test_what_lies_far_apart_has_silence_between(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    file = StereoFile(path, RATE)
    file.write([piece(CALLER, 100_000, 9)], 0)
    found = read(path)
    assert len(found) == 100_001
    assert found[:100_000].any() == False  # noqa: E712 -- numpy's own False
    file.close()


def test_only_its_owner_can_read_it_and_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    StereoFile(path, RATE).close()
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        StereoFile(path, RATE)
    (tmp_path / "b.wav").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        StereoFile(tmp_path / "b.wav", RATE)


def test_a_wav_ends_where_its_header_can_say_no_more(tmp_path: Path) -> None:
    file = StereoFile(tmp_path / "a.wav", RATE)
    with pytest.raises(OSError, match="cannot be longer"):
        file.write([], 1 << 30)
    assert len(read(tmp_path / "a.wav")) == 0
    file.close()
