"""Bad input gets a clear answer."""

import pytest

from parley_gateway import protocol
from parley_gateway.call_record import ResumeToken
from parley_gateway.outbox import Outbox
from parley_gateway.protocol import (
    ProtocolError,
    TextTurn,
    error_event,
    parse_client_message,
    parse_format,
    parse_resume,
)


@pytest.mark.parametrize(
    "text",
    ["", "hello", "[]", "{}", '{"type":"nope"}', '{"type":"text"}', '{"type":"text","text":5}',
     '{"type":"playback","turn":-1,"ms":3}', '{"type":"playback","turn":1,"ms":NaN}', "null",
     '{"type":"text","text":"  "}', '{"type":"text","text":"' + "x" * 4001 + '"}'],
)  # fmt: skip
def test_messages_of_the_wrong_shape(text: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_client_message(text)
    assert caught.value.code == "bad_message"
    assert caught.value.close_code is None


def test_unknown_fields_are_ignored() -> None:
    message = parse_client_message('{"type":"text","text":"hi","colour":"red"}')
    assert message == TextTurn(type="text", text="hi")


@pytest.mark.parametrize(
    ("rate", "encoding"),
    [("", "linear16"), ("x", "linear16"), ("-1", "linear16"), ("44100", "linear16"),
     ("²", "linear16"), ("16000", "opus"), ("16000", "")],
)  # fmt: skip
def test_formats_that_do_not_exist(rate: str, encoding: str) -> None:
    with pytest.raises(ProtocolError, match="allowed"):
        parse_format(rate, encoding)


def test_half_a_sample_is_refused_without_ending_the_call() -> None:
    audio = parse_format("16000", "linear16")
    with pytest.raises(ProtocolError) as caught:
        audio.decode(b"abc")
    assert caught.value.code == "bad_audio"
    assert caught.value.close_code is None
    assert len(parse_format("8000", "mulaw").decode(b"abc")) == 6


async def test_clearing_drops_audio_and_keeps_texts_in_order() -> None:
    outbox = Outbox()
    outbox.put_text("a")
    outbox.put_frame(b"1")
    outbox.put_text("b")
    outbox.put_frame(b"2")
    outbox.drop_audio()
    outbox.put_text("c")
    assert [await outbox.get() for _ in range(3)] == ["a", "b", "c"]
    assert outbox.audio_ms == 0


def test_a_client_that_never_reads_overflows_and_takes_no_more() -> None:
    outbox = Outbox()
    for _ in range(1000):
        outbox.put_frame(b"x")
    assert outbox.overflowed.is_set()
    assert outbox.audio_ms == 0
    outbox.put_text("the reason")
    assert outbox.drain() == ["the reason"]


def test_a_request_to_resume() -> None:
    request = parse_resume(
        {"resume": "c1.secret", "heard_turn": "3", "heard_ms": "250.5", "audio_ms": "1e4"}
    )
    assert request.token == ResumeToken("c1", "secret")
    assert (request.heard, request.audio_ms) == ((3, 250.5), 10_000.0)
    request = parse_resume({"resume": "c1.secret", "heard_turn": "3"})
    assert (request.heard, request.audio_ms) == (None, 0.0)


@pytest.mark.parametrize(
    "fields",
    [{"audio_ms": "x"}, {"audio_ms": "-1"}, {"audio_ms": "nan"}, {"audio_ms": "inf"},
     {"audio_ms": "1e30"}, {"heard_turn": "x", "heard_ms": "1"},
     {"heard_turn": "1", "heard_ms": "-1"}],
)  # fmt: skip
def test_positions_that_make_no_sense(fields: dict[str, str]) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_resume({"resume": "c1.secret", **fields})
    assert caught.value.code == "bad_format"


def test_refusals_that_pass_say_when_to_come_back() -> None:
    for error in (protocol.no_capacity("full"), protocol.draining()):
        assert 1000 <= error_event(error)["retry_after_ms"] <= 5000
    assert error_event(protocol.move_on(resumable=True))["retry_after_ms"] <= 300
    for error in (protocol.unauthorized(), protocol.not_resumable(), protocol.too_long(5.0)):
        assert "retry_after_ms" not in error_event(error)
    assert len({protocol.no_capacity("full").retry_after_ms for _ in range(50)}) > 10
