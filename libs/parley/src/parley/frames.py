"""Audio on NATS: a fixed flat layout, because there are fifty a second in each call.

Little-endian, 20 bytes, then PCM16 mono to the end of the message:

    u8   version, 1 (never the first byte of a msgpack map, so frames and messages that
         share a subject are told apart by it)
    u8   reserved, 0
    u16  attempt
    u32  turn        0 for the caller's audio
    u32  seq         counts all messages of one job and direction, from 0
    u32  segment     speech: which text segment it belongs to; 0 for the caller's audio
    u32  position    samples before this frame: in the segment, or since the call began
"""

import struct
from typing import NamedTuple

VERSION = 1
_HEADER = struct.Struct("<BBHIIII")
_WRAP = 1 << 32


class BadFrame(ValueError):
    """The bytes are not an audio frame of this version."""


class AudioFrame(NamedTuple):
    """One piece of audio of a job. See the module for the fields."""

    turn: int
    attempt: int
    seq: int
    segment: int
    position: int
    pcm: bytes


def is_frame(data: bytes) -> bool:
    """Whether a message is an audio frame rather than msgpack."""
    return data[:1] == bytes([VERSION])


def encode_frame(frame: AudioFrame) -> bytes:
    """The frame's bytes."""
    turn, attempt, seq, segment, position, pcm = frame
    return _HEADER.pack(VERSION, 0, attempt, turn, seq, segment, position % _WRAP) + pcm


def decode_frame(data: bytes) -> AudioFrame:
    """The frame in `data`; raises BadFrame."""
    if len(data) < _HEADER.size or data[0] != VERSION:
        raise BadFrame(
            f"{len(data)} bytes that do not begin with a frame header of version {VERSION}"
        )
    if (len(data) - _HEADER.size) % 2:
        raise BadFrame("half a sample at the end")
    _, _, attempt, turn, seq, segment, position = _HEADER.unpack_from(data)
    return AudioFrame(turn, attempt, seq, segment, position, data[_HEADER.size :])
