"""Recordings on a disk that is really full."""

import asyncio
import subprocess
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from parley_gateway import metrics, recordings
from parley_gateway.recordings import Recordings

RATE = 16_000
FRAME = np.full(RATE // 50, 1000, "<i2").tobytes()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 128 KiB: two seconds of a call."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(folder)]
    try:
        made = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_when_the_disk_is_full_the_file_ends_and_nothing_else_happens(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recordings, "WRITE_SECONDS", 0.01)
    failed = metrics.RECORDINGS.labels("failed")
    before = failed._value.get()
    found = Recordings(small_disk, hours=1)
    running = asyncio.create_task(found.run())
    recording = found.begin("0123456789abcdef", 0, RATE)
    async with asyncio.timeout(60):
        while not recording.done:
            for _ in range(10):
                recording.bot(FRAME)
            await asyncio.sleep(0.01)
        recording.bot(FRAME)
        recording.close()
        await found.flush()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    with wave.open(str(recording.path), "rb") as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    assert len(sound) > RATE
    assert sound[:RATE, 1].all()
    assert failed._value.get() == before + 1
