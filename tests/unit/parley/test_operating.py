"""Orders to one process: their subjects and messages."""

import pytest

from parley import subjects
from parley.messages import decode, encode
from parley.operating import CallsWanted, Drain, GatewayStatus, LiveCall, LiveCalls

CALL = LiveCall(id="c1", agent="tess", age_seconds=1.5, state="speaking", turn=2)


@pytest.mark.parametrize(
    "message",
    [
        Drain(),
        CallsWanted(),
        LiveCalls(gateway_id="gateway-1", calls=[CALL]),
        GatewayStatus(gateway_id="gateway-1", capacity=5, running=1, state="waiting"),
    ],
)
def test_what_operators_send_and_get_crosses_nats(message: Drain) -> None:
    assert decode(encode(message)) == message


def test_an_order_is_for_one_process_of_one_kind() -> None:
    assert subjects.operate("stt-1a2b") == "parley.v1.operate.stt.stt-1a2b"
    assert subjects.operate("gateway-1a2b") == "parley.v1.operate.gateway.gateway-1a2b"


@pytest.mark.parametrize("name", ["", "stt", "stt-", "*-1", "stt-*", "stt-1.2", "stt-1 2", "-1"])
def test_what_is_no_id_reaches_nobody(name: str) -> None:
    with pytest.raises(ValueError, match="not"):
        subjects.operate(name)
