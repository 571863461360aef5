"""A stereo WAV that is whole at any moment: a crash costs what was not written yet, no more."""

import os
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from parley_gateway.tape import Piece

_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
FRAME_BYTES = 4
"""A sample of each channel."""
MAX_BYTES = (1 << 32) - 1024
"""A WAV cannot be longer: 6 h at 48 kHz."""


class StereoFile:
    """PCM16 in two channels, which may be written in any order; silence where nothing is.

    All methods block, and raise OSError.
    """

    def __init__(self, path: Path, rate: int) -> None:
        """Make the file. Only its owner can read it."""
        self._rate = rate
        self._length = 0
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        self._file = os.open(path, flags, 0o600)
        try:
            self._write_header()
        except BaseException:
            os.close(self._file)
            raise

    def write(self, pieces: Sequence[Piece], length: int) -> int:
        """Lay the pieces over what is there, and be at least `length` samples long; bytes written.

        The header follows the audio: it never promises what is not there.
        """
        size = self._write_pieces(pieces) if pieces else 0
        longest = max([length, self._length, *(piece.end for piece in pieces)])
        if longest * FRAME_BYTES > MAX_BYTES:
            raise OSError("a WAV file cannot be longer")
        if longest > self._length:
            os.ftruncate(self._file, _HEADER.size + longest * FRAME_BYTES)
            self._length = longest
            self._write_header()
        return size

    def close(self) -> None:
        """The file is complete."""
        os.close(self._file)

    def _write_pieces(self, pieces: Sequence[Piece]) -> int:
        start, end = min(one.start for one in pieces), max(one.end for one in pieces)
        size, at = (end - start) * FRAME_BYTES, _HEADER.size + start * FRAME_BYTES
        there = os.pread(self._file, size, at).ljust(size, b"\0")
        both = np.frombuffer(there, "<i2").reshape(-1, 2).copy()
        for one in pieces:
            both[one.start - start : one.end - start, one.channel] = np.frombuffer(one.pcm, "<i2")
        _write_all(self._file, both.tobytes(), at)
        return size

    def _write_header(self) -> None:
        size, rate = self._length * FRAME_BYTES, self._rate
        form = (16, 1, 2, rate, rate * FRAME_BYTES, FRAME_BYTES, 16)
        header = _HEADER.pack(b"RIFF", 36 + size, b"WAVE", b"fmt ", *form, b"data", size)
        _write_all(self._file, header, 0)


def _write_all(file: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, at)
        view, at = view[written:], at + written
