import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np

from parley_cli.device import Device
from parley_cli.dial import Options
from parley_cli.uplink import OFFERED_SECONDS


@asynccontextmanager
async def running(device: Device) -> AsyncIterator[asyncio.Event]:
    """The device at work; the event is set at each frame."""
    frame = asyncio.Event()
    task = asyncio.create_task(device.run(frame.set))
    yield frame
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_it_hears_and_plays_with_nobody_connected() -> None:
    device = Device(Options())
    device.voice.play(np.arange(1, 641, dtype=np.int16))
    device.playback.begin(1)
    device.receive(np.full(640, 7, "<i2").tobytes())
    async with asyncio.timeout(10), running(device) as frame:
        while len(device.recorded) < 640 or device.playback.playing or not device.report_due:
            frame.clear()
            await frame.wait()
    assert device.recorded[:640].tolist() == list(range(1, 641))
    assert np.frombuffer(device.uplink.take(), "<i2")[:640].tolist() == list(range(1, 641))
    assert np.count_nonzero(device.playback.recording) == 640
    assert device.playback.report() == (1, 40.0)


def test_positions_are_exact_however_long_the_call_lasts() -> None:
    device = Device(Options(sample_rate=8000, encoding="mulaw"))
    frames = 100_001  # of 20 ms: more than half an hour
    for _ in range(frames):
        device.uplink.add(bytes(160))
    position = device.hold()
    assert float(position["audio_ms"]) == frames * 20 - OFFERED_SECONDS * 1000
    assert "heard_turn" not in position
