"""A prepared sentence outside of any turn."""

from parley_gateway.holding import Notice
from parley_gateway.playout import FRAME_MS
from parley_gateway.prepared import Prepared
from parley_gateway.protocol import AudioFormat

RATE = 16_000


class Ear:
    format = AudioFormat(RATE, "linear16")
    undelivered_ms = 0.0

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def send_audio(self, pcm: bytes) -> None:
        self.heard.append(pcm)

    def send_event(self, event: object) -> None: ...

    def clear(self) -> None: ...


async def test_it_gives_way_to_whoever_speaks() -> None:
    ear, quiet = Ear(), [True]
    notice = Notice(ear, Prepared("Please hold.", bytes(2 * RATE)), lambda: quiet[0])
    for tick in range(20):
        notice.tick(tick * FRAME_MS / 1000)
    said = len(ear.heard)
    assert said
    quiet[0] = False
    for tick in range(20, 40):
        notice.tick(tick * FRAME_MS / 1000)
    assert len(ear.heard) == said
    assert notice._ended.is_set()
