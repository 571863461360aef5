"""Whether a long reply comes at the pace of speech: how far ahead, how steady, with what gaps."""

import asyncio
import contextlib
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection, connect

FRAME = bytes(640)
FRAME_SECONDS = 0.02


@dataclass(frozen=True)
class Pacing:
    """The arrival of one reply's audio."""

    arrivals: Sequence[tuple[float, float]]
    """When (s) each frame came, and the audio (ms) that had come with it."""
    spoken: str

    @property
    def audio_ms(self) -> float:
        """The length of the reply."""
        return self.arrivals[-1][1]

    @property
    def leads_ms(self) -> list[float]:
        """How far the client was ahead of real time (ms) at each frame."""
        start = self.arrivals[0][0]
        return [audio - (at - start) * 1000 for at, audio in self.arrivals]

    @property
    def lead_max_ms(self) -> float:
        """The furthest that the client was ahead."""
        return max(self.leads_ms)

    @property
    def drift_ms(self) -> float:
        """By how much the lead changed between the first and the last third of the reply.

        Medians, so that single late frames of a busy machine do not count.
        """
        leads = self.leads_ms[20:-20]
        third = len(leads) // 3
        return abs(statistics.median(leads[-third:]) - statistics.median(leads[:third]))

    @property
    def dry_ms(self) -> float:
        """The most that the ear was kept waiting; 0 when audio always came in time."""
        return max(0.0, FRAME_SECONDS * 1000 - min(self.leads_ms))


async def pace(url: str, agent: str, timeout: float = 120) -> Pacing:
    """Have the bot give its reply, and note when each frame of it comes."""
    arrivals: list[tuple[float, float]] = []
    spoken = ""
    async with connect(f"{url}?agent={agent}", compression=None, proxy=None) as socket:
        microphone = asyncio.create_task(_silence(socket))
        await socket.send('{"type":"text","text":"Tell me about the museum."}')
        audio_ms = 0.0
        async with asyncio.timeout(timeout):
            async for message in socket:
                if isinstance(message, bytes):
                    audio_ms += len(message) / 32
                    arrivals.append((time.monotonic(), audio_ms))
                elif (event := json.loads(message))["type"] == "spoken":
                    spoken = event["text"]
                    break
        microphone.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await microphone
    return Pacing(arrivals, spoken)


async def _silence(socket: ClientConnection) -> None:
    due = time.monotonic()
    while True:
        await socket.send(FRAME)
        due += FRAME_SECONDS
        await asyncio.sleep(max(0.0, due - time.monotonic()))
