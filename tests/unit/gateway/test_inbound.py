"""What clients send is checked before it is done."""

import pytest

from parley_gateway.inbound import MAX_ERRORS, Inbound
from parley_gateway.protocol import AudioFormat, ProtocolError
from parley_gateway.websocket import WebSocketClient


class Talk:
    """Notes what reaches the conversation."""

    def __init__(self) -> None:
        self.done: list[object] = []

    async def audio(self, pcm: bytes) -> None:
        self.done.append(len(pcm))

    def user_text(self, text: str) -> None:
        self.done.append(text)

    def interrupt(self) -> None:
        self.done.append("interrupt")

    def playback(self, turn: int, ms: float) -> None:
        self.done.append((turn, ms))


def opened() -> tuple[Inbound, Talk, WebSocketClient]:
    client, talk = WebSocketClient(AudioFormat(16_000, "linear16")), Talk()
    return Inbound(client, talk), talk, client


async def test_messages_reach_the_conversation_in_order() -> None:
    inbound, talk, client = opened()
    for message in (
        bytes(640),
        '{"type": "text", "text": "Hello."}',
        '{"type": "playback", "turn": 1, "ms": 20.5}',
        '{"type": "interrupt"}',
        '{"type": "ping"}',
    ):
        assert not await inbound.take(message)
    assert talk.done == [640, "Hello.", (1, 20.5), "interrupt"]
    assert client.outbox.drain() == ['{"type": "pong"}']
    assert await inbound.take('{"type": "end"}')


async def test_a_mistake_is_told_and_a_hundred_are_too_many() -> None:
    inbound, talk, client = opened()
    for _ in range(MAX_ERRORS):
        assert not await inbound.take(bytes(3))
    assert len(client.outbox.drain()) == MAX_ERRORS
    with pytest.raises(ProtocolError, match="too many") as caught:
        await inbound.take("nonsense")
    assert (caught.value.code, caught.value.close_code) == ("too_many_errors", 4400)
    assert talk.done == []


async def test_audio_may_be_ten_seconds_ahead_and_no_more() -> None:
    inbound, talk, _ = opened()
    for _ in range(9):
        await inbound.take(bytes(32_000))
    assert sum(size for size in talk.done if isinstance(size, int)) == 9 * 32_000
    with pytest.raises(ProtocolError) as caught:
        for _ in range(5):
            await inbound.take(bytes(64_000))
    assert caught.value.code == "audio_too_fast"


@pytest.mark.parametrize(
    ("message", "burst"),
    [('{"type": "ping"}', 200), ('{"type": "text", "text": "Hi."}', 20), (b"", 5000)],
)
async def test_more_messages_than_a_client_has_use_for(message: str | bytes, burst: int) -> None:
    inbound, _, _ = opened()
    inbound._clock = lambda: 7.0
    inbound._began = 7.0
    for _ in range(burst):
        await inbound.take(message)
    with pytest.raises(ProtocolError) as caught:
        await inbound.take(message)
    assert (caught.value.code, caught.value.close_code) == ("too_many_messages", 4429)
