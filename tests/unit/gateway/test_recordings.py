"""Recordings as a gateway has them written, and what a bad disk does to them."""

import asyncio
import errno
import os
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from unittest.mock import AsyncMock

import numpy as np
import pytest
from numpy.typing import NDArray

from parley_gateway import main, metrics, recordings
from parley_gateway.recordings import MAX_WAITING_SECONDS, Recordings, sweep
from parley_gateway.stereo_file import StereoFile

RATE = 16_000
FRAME = np.full(RATE // 50, 1000, "<i2").tobytes()
ID = "0123456789abcdef"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "WRITE_SECONDS", 0.01)


@asynccontextmanager
async def recording_in(folder: Path) -> AsyncIterator[Recordings]:
    found = Recordings(folder, hours=1)
    running = asyncio.create_task(found.run())
    yield found
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


async def flushed(found: Recordings) -> None:
    async with asyncio.timeout(20):
        await found.flush()


def read(path: Path) -> NDArray[np.int16]:
    with wave.open(str(path), "rb") as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)


def counted(outcome: str) -> float:
    return float(metrics.RECORDINGS.labels(outcome)._value.get())


async def test_both_sides_are_in_a_file_that_only_its_owner_can_read(tmp_path: Path) -> None:
    folder, kept = tmp_path / "deep" / "recordings", counted("kept")
    async with recording_in(folder) as found:
        recording = found.begin(ID, 0, RATE)
        recording.caller(FRAME)
        recording.bot(FRAME)
        await until(lambda: (folder / f"{ID}.wav").exists())
        await asyncio.sleep(0.03)
        recording.close()
        await flushed(found)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert recording.path.stat().st_mode & 0o777 == 0o600
    assert read(recording.path).any(axis=0).all()
    assert counted("kept") == kept + 1


async def test_each_gateway_that_holds_a_call_has_a_file_of_its_own(tmp_path: Path) -> None:
    async with recording_in(tmp_path) as found:
        resumed = found.begin(ID, 2, RATE)
        resumed.caller(FRAME * 100)  # Two seconds that were said before it was resumed.
        resumed.close()
        await flushed(found)
    assert resumed.path.name == f"{ID}-2.wav"
    loud = np.flatnonzero(read(resumed.path)[:, 0])
    assert len(loud) == 2 * RATE
    assert loud[0] == pytest.approx(8 * RATE, abs=RATE)


async def test_a_call_in_which_nothing_was_heard_leaves_no_file(tmp_path: Path) -> None:
    async with recording_in(tmp_path) as found:
        recording = found.begin(ID, 0, RATE)
        recording.clear()
        recording.close()
        await flushed(found)
    assert not recording.path.exists()


async def test_a_full_disk_ends_the_recording_with_one_line_and_leaves_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed, real, lines = counted("failed"), os.pwrite, []
    monkeypatch.setattr(recordings.log, "error", lambda *args, **kw: lines.append((args, kw)))

    def full(file: int, data: bytes, at: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async with recording_in(tmp_path) as found:
        recording = found.begin(ID, 0, RATE)
        recording.bot(FRAME)
        await until(recording.path.exists)
        await until(lambda: bool(len(read(recording.path))))
        monkeypatch.setattr(os, "pwrite", full)
        recording.bot(FRAME)
        await until(lambda: recording.done)
        for _ in range(50):
            recording.bot(FRAME)
            recording.caller(FRAME)
        monkeypatch.setattr(os, "pwrite", real)
        recording.close()
        await flushed(found)
    assert lines == [
        (("recording stopped",), {"file": f"{ID}.wav", "reason": "No space left on device"})
    ]
    assert counted("failed") == failed + 1
    assert read(recording.path).any()


@pytest.mark.parametrize("fault", [OSError(errno.EDQUOT, "Disk quota exceeded"), ValueError()])
async def test_whatever_fails_at_the_end_costs_that_recording_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    """A network's file system may say only as a file is closed that it has no room."""
    kept, failed = counted("kept"), counted("failed")

    def full(_: StereoFile) -> None:
        raise fault

    async with recording_in(tmp_path) as found:
        first, second = found.begin(ID, 0, RATE), found.begin(ID, 1, RATE)
        for recording in (first, second):
            recording.bot(FRAME)
        await until(second.path.exists)
        with monkeypatch.context() as patch:
            patch.setattr(StereoFile, "close", full)
            first.close()
            await until(lambda: first.done)
        second.close()
        await flushed(found)
    assert (counted("kept"), counted("failed")) == (kept + 1, failed + 1)
    assert read(second.path).any()


async def test_a_disk_that_hangs_costs_a_bounded_amount_of_memory(tmp_path: Path) -> None:
    gaps = counted("gap")
    recording = Recordings(tmp_path, hours=1).begin(ID, 0, RATE)  # Nobody runs: nothing is written.
    for _ in range(int(MAX_WAITING_SECONDS * 50) + 500):
        recording.caller(FRAME)
        recording.bot(FRAME)
    assert recording._waiting <= MAX_WAITING_SECONDS * RATE * 4 + len(FRAME)
    assert counted("gap") == gaps + 1
    recording.due()()
    assert recording.path.exists()


async def test_a_disk_that_hangs_at_the_end_does_not_cost_the_calls_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "FLUSH_SECONDS", 0.1)
    found = Recordings(tmp_path, hours=1)  # Nobody runs: nothing is written.
    found.begin(ID, 0, RATE)
    calls, records = AsyncMock(), AsyncMock()
    await main._flush(calls, records, found)
    assert (calls.flush.await_count, records.flush.await_count) == (1, 1)


async def test_a_folder_that_cannot_be_written_to_is_said_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError):
        Recordings(tmp_path / "file", hours=1)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(PermissionError, match="PARLEY_RECORDINGS"):
        Recordings(tmp_path, hours=1)


def test_only_old_recordings_are_deleted_and_nothing_else(tmp_path: Path) -> None:
    names = [f"{ID}.wav", f"{ID}-3.wav", "fedcba9876543210.wav", "music.wav", f"{ID}.txt"]
    for name in names:
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1000, 1000))
    os.utime(tmp_path / "fedcba9876543210.wav", (3000, 3000))
    sweep(tmp_path, before=2000)
    left = {one.name for one in tmp_path.iterdir()}
    assert left == {"fedcba9876543210.wav", "music.wav", f"{ID}.txt"}


def test_what_cannot_be_deleted_or_is_gone_already_keeps_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept, overdue, real = counted("swept"), counted("overdue"), Path.unlink
    for number in range(4):
        path = tmp_path / f"{number:016}.wav"
        path.touch()
        os.utime(path, (1000, 1000))

    def unlink(path: Path) -> None:
        match path.stem[-1]:
            case "1":
                raise PermissionError(errno.EPERM, "Operation not permitted")
            case "2":
                real(path)  # By another gateway, in the meantime.
        real(path)

    monkeypatch.setattr(Path, "unlink", unlink)
    sweep(tmp_path, before=2000)
    assert [one.name for one in tmp_path.iterdir()] == [f"{1:016}.wav"]
    assert (counted("swept"), counted("overdue")) == (swept + 2, overdue + 1)


def test_a_folder_that_is_gone_is_no_failure(tmp_path: Path) -> None:
    sweep(tmp_path / "gone", before=2000)
