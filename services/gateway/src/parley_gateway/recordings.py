"""The sound of calls, kept in files where the gateway is told to: PARLEY_RECORDINGS.

Calls only put audio into memory. Every half second one thread writes what there is, for all calls;
whatever happens to the disk, the calls go on.
"""

import asyncio
import contextlib
import os
import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from parley import logs
from parley_gateway import metrics
from parley_gateway.stereo_file import FRAME_BYTES, StereoFile
from parley_gateway.tape import Tape

log = logs.get(__name__)

WRITE_SECONDS = 0.5
SWEEP_SECONDS = 600.0
"""How often files that are too old are looked for."""
BEFORE_RESUME_SECONDS = 10.0
"""A call that is resumed brings what was said meanwhile: its recording begins so much earlier."""
MAX_WAITING_SECONDS = 10.0
"""What may wait in memory while the disk is slow (of 100 calls at 48 kHz, 190 MB); more is not
recorded."""
_OURS = re.compile(r"[0-9a-f]{16}(-\d+)?\.wav")
"""The names of recordings: nothing else in the folder is ever deleted."""

_Side = Callable[[Tape, float, bytes], None]
_Heard = tuple[_Side, float, bytes]
"""What happened to which side, when, and its PCM16."""


class Recording:
    """One call's recording at this gateway. Its methods return at once; what `due` gives is work
    for another thread.
    """

    def __init__(self, path: Path, rate: int, began: float, clock: Callable[[], float]) -> None:
        self.path = path
        self.began_at = time.time() - (clock() - began)
        """When (s of Unix time) its first sample is heard."""
        self.done = False
        """Whether the file is closed, or given up."""
        self._rate = rate
        self._clock = clock
        self._heard: list[_Heard] = []
        self._waiting = 0
        self._empty = True
        self._gap = False
        self._closed_at: float | None = None
        self._tape = Tape(rate, began)
        self._file: StereoFile | None = None

    def caller(self, pcm: bytes) -> None:
        """The caller's next PCM16."""
        self._put(Tape.caller, pcm)

    def bot(self, pcm: bytes) -> None:
        """A frame is delivered."""
        self._put(Tape.bot, pcm)

    def clear(self) -> None:
        """What was delivered and not heard yet will not be."""
        if not self._empty or self._heard:
            self._put(Tape.clear, b"")

    def close(self) -> None:
        """The call is over. The rest is written soon; what was not heard yet will not be."""
        if self._closed_at is None:
            self.clear()
        self._closed_at = self._closed_at or self._clock()

    def _put(self, side: _Side, pcm: bytes) -> None:
        """The disk may be slow; a call in memory is bounded all the same."""
        if self.done:
            return
        if self._waiting < MAX_WAITING_SECONDS * self._rate * FRAME_BYTES:
            self._waiting += len(pcm)
            self._heard.append((side, self._clock(), pcm))
        elif not self._gap:
            self._gap = True
            metrics.RECORDINGS.labels("gap").inc()
            log.error("recording has a gap: the disk is too slow", file=self.path.name)

    def due(self) -> Callable[[], None]:
        """The work of writing what there is by now."""
        heard, self._heard, self._waiting = self._heard, [], 0
        closed_at = self._closed_at
        self._empty &= not heard
        return partial(self._write, heard, closed_at or self._clock(), last=closed_at is not None)

    def _write(self, heard: list[_Heard], now: float, *, last: bool) -> None:
        if self._empty:
            self.done = last  # Nothing was ever heard: there is no file.
            return
        for side, at, pcm in heard:
            side(self._tape, at, pcm)
        try:
            self._file = self._file or StereoFile(self.path, self._rate)
            pieces = self._tape.take(now, last=last)
            metrics.RECORDING_BYTES.inc(self._file.write(pieces, self._tape.length(now)))
            if last:
                self._let_go()
                self._end("kept")
        except Exception as error:  # Whatever it is: calls do not end with a recording.
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            log.error("recording stopped", file=self.path.name, reason=reason)
            with contextlib.suppress(OSError):
                self._let_go()
            self._end("failed")

    def _let_go(self) -> None:
        """Some disks say only now that they are full."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _end(self, outcome: str) -> None:
        self.done = True
        metrics.RECORDINGS.labels(outcome).inc()


class Recordings:
    """The recordings of a gateway; `run` is the task that has them written and deleted."""

    def __init__(self, folder: Path, hours: float) -> None:
        """Raises OSError where the folder cannot be made."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(f"cannot write recordings to {folder} (PARLEY_RECORDINGS)")
        self._folder = folder
        self._seconds = hours * 3600
        self._recordings: list[Recording] = []
        self._settled = asyncio.Event()
        self._settled.set()
        self._clock = asyncio.get_running_loop().time

    def begin(self, conversation_id: str, epoch: int, rate: int) -> Recording:
        """Record a call from now on; each gateway that holds it has a file of its own."""
        name = f"{conversation_id}-{epoch}" if epoch else conversation_id
        began = self._clock() - (BEFORE_RESUME_SECONDS if epoch else 0.0)
        recording = Recording(self._folder / f"{name}.wav", rate, began, self._clock)
        self._recordings.append(recording)
        self._settled.clear()
        return recording

    async def flush(self) -> None:
        """Return once all recordings are closed and written."""
        await self._settled.wait()

    async def run(self) -> None:
        """Write, and delete what is too old, until cancelled."""
        swept_at = -SWEEP_SECONDS
        while True:
            if self._clock() - swept_at >= SWEEP_SECONDS:
                swept_at = self._clock()
                await asyncio.to_thread(sweep, self._folder, time.time() - self._seconds)
            await asyncio.to_thread(_do_all, [one.due() for one in self._recordings])
            self._recordings = [one for one in self._recordings if not one.done]
            if not self._recordings:
                self._settled.set()
            await asyncio.sleep(WRITE_SECONDS)


def sweep(folder: Path, before: float) -> None:
    """Delete the recordings that were last written before then (s of Unix time)."""
    deleted, faults = 0, list[OSError]()
    try:
        for file in [one for one in folder.iterdir() if _OURS.fullmatch(one.name)]:
            try:
                if file.lstat().st_mtime < before:
                    file.unlink()
                    deleted += 1
            except FileNotFoundError:
                pass  # Another gateway that has this folder was quicker.
            except OSError as error:
                faults.append(error)
    except OSError as error:
        log.error("recordings not looked for", folder=str(folder), reason=error.strerror)
    metrics.RECORDINGS.labels("swept").inc(deleted)
    metrics.RECORDINGS.labels("overdue").inc(len(faults))
    if deleted:
        log.info("recordings deleted", count=deleted)
    if faults:
        log.error("recordings not deleted", count=len(faults), reason=faults[0].strerror)


def _do_all(works: list[Callable[[], None]]) -> None:
    for work in works:
        work()
