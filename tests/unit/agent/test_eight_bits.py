"""A GGUF file with 4-bit weights, rewritten with 8-bit ones."""

import io
import struct

import numpy as np
import pytest
from numpy.typing import NDArray

from parley_agent.embedded.eight_bits import Q4_1, Q8_0, Bytes, eight_bits, rewrite

F32 = 0


def q4_1(rows: int) -> Bytes:
    random = np.random.default_rng(1)
    blocks = random.integers(0, 256, (rows, 20), dtype=np.uint8)
    halves = random.normal(0, 0.1, (rows, 2)).astype("<f2")
    blocks[:, :4] = halves.view(np.uint8).reshape(rows, 4)
    return blocks


def weights_of_q4_1(blocks: Bytes) -> NDArray[np.float32]:
    found = []
    for block in blocks:
        scale, least = struct.unpack("<ee", block[:4].tobytes())
        found.append([(byte & 15) * scale + least for byte in block[4:]])
        found[-1] += [(byte >> 4) * scale + least for byte in block[4:]]
    return np.array(found, np.float32)


def weights_of_q8_0(blocks: Bytes) -> NDArray[np.float32]:
    scales = np.ascontiguousarray(blocks[:, :2]).view("<f2").astype(np.float32)
    return scales * np.ascontiguousarray(blocks[:, 2:]).view(np.int8)


def text(words: str) -> bytes:
    return struct.pack("<Q", len(words)) + words.encode()


def gguf(tensors: list[tuple[str, int, Bytes, int]], values: bytes = b"", count: int = 0) -> Bytes:
    """A file of these tensors: name, kind, data and number of weights."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), count) + values
    data = b""
    for name, kind, content, weights in tensors:
        head += text(name) + struct.pack("<IQIQ", 1, weights, kind, len(data))
        data += content.tobytes() + bytes(-content.size % 32)
    head += bytes(-len(head) % 32)
    return np.frombuffer(head + data, np.uint8)


def test_the_weights_stay_what_they_were_to_within_a_rounding_error() -> None:
    blocks = q4_1(50)
    before, after = weights_of_q4_1(blocks), weights_of_q8_0(eight_bits(blocks))
    largest = np.abs(before).max(axis=1, keepdims=True)
    assert after.shape == before.shape
    assert np.all(np.abs(after - before) <= largest / 127)


def test_weights_that_are_all_zero_stay_so() -> None:
    assert not weights_of_q8_0(eight_bits(np.zeros((2, 20), np.uint8))).any()


def test_a_file_keeps_its_header_and_its_other_tensors() -> None:
    floats = np.arange(5, dtype="<f4").view(np.uint8)
    quick = eight_bits(q4_1(3)).reshape(-1)
    names = struct.pack("<IIQ", 9, 8, 2) + text("a") + text("bc")
    numbers = struct.pack("<IIQ", 9, 4, 3) + bytes(12)
    values = text("tokens") + names + text("kinds") + numbers + text("yes") + b"\x07\0\0\0\1"

    def file(kind: int, weights: Bytes) -> Bytes:
        tensors = [("one", kind, weights, 96), ("two", F32, floats, 5), ("six", kind, weights, 96)]
        return gguf(tensors, values, 3)

    out = io.BytesIO()
    rewrite(file(Q4_1, q4_1(3).reshape(-1)), out)
    assert out.getvalue() == file(Q8_0, quick).tobytes()


def test_what_it_does_not_know_is_refused() -> None:
    aligned = text("general.alignment") + struct.pack("<II", 4, 64)
    for source in (np.frombuffer(b"a text, no model, " * 4, np.uint8), gguf([], aligned, 1)):
        with pytest.raises(ValueError, match=r"GGUF|alignment"):
            rewrite(source, io.BytesIO())
