"""What crosses NATS survives the trip, and what does not belong there is refused."""

import msgpack
import pytest

from parley import messages, subjects
from parley.frames import AudioFrame, BadFrame, decode_frame, encode_frame, is_frame
from parley.marks import Mark
from parley.subjects import Stage


def test_a_message_survives() -> None:
    sent = messages.SpeechMarks(turn=3, attempt=1, seq=7, segment=0, marks=[Mark("hi", 0, 0, 10)])
    data = messages.encode(sent)
    assert not is_frame(data)
    got = messages.decode(data)
    assert got == sent
    assert isinstance(got, messages.SpeechMarks)
    assert got.marks[0].word == "hi"


def test_unknown_fields_are_ignored() -> None:
    fields = {"v": 1, "type": "interrupt", "turn": 4, "new": True}
    assert messages.decode(msgpack.packb(fields)) == messages.Interrupt(turn=4)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xc1", b"\x00", msgpack.packb([1]), msgpack.packb({"type": "interrupt", "turn": 4}),
     msgpack.packb({"v": 2, "type": "interrupt", "turn": 4}),
     msgpack.packb({"v": 1, "type": "nope"}), msgpack.packb({"v": 1, "type": "interrupt"}),
     msgpack.packb({"v": 1, "type": "interrupt", "turn": "x"})],
)  # fmt: skip
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(messages.BadMessage):
        messages.decode(data)


def test_a_frame_survives() -> None:
    frame = AudioFrame(3, 2, 70_000, 1, 16_000, b"\x01\x02\x03\x04")
    data = encode_frame(frame)
    assert is_frame(data)
    assert decode_frame(data) == frame


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x02" + bytes(30), b"\x01" + bytes(20)])
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    with pytest.raises(BadFrame):
        decode_frame(data)


@pytest.mark.parametrize("token", ["", "a.b", "*", ">", "a b", "x" * 65, "ü"])
def test_ids_cannot_reach_other_subjects(token: str) -> None:
    with pytest.raises(ValueError, match="subject"):
        subjects.control(token)


def test_subjects() -> None:
    assert subjects.job(Stage.STT) == "parley.v1.job.stt"
    assert subjects.output_of(Stage.TTS, "c1") == "parley.v1.conv.c1.speech"
    assert subjects.input_of(Stage.AGENT, "c1") is None
