"""One child process: started so that it cannot outlive us, with its log in a file."""

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1


class Child:
    """A running child process in a process group of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Its process id, which is its group's id too."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs, as far as the event loop knows."""
        return self._process.returncode is None

    async def wait(self) -> int:
        """Its exit code, once it has one; negative for the signal that killed it."""
        return await self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the child and to whatever it has started."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)


async def start(argv: Sequence[str], env: Mapping[str, str], log: Path) -> Child:
    """Start a child that appends what it writes to `log`. `env` is added to ours.

    Call it from the main thread: the child dies with the thread that started it.
    """
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *argv,
            env={**os.environ, **env},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # Ctrl-C in the terminal must reach us alone: we stop the children in order.
            process_group=0,
            preexec_fn=_die_with_parent(),
        )
    return Child(process)


def _die_with_parent() -> Callable[[], None] | None:
    """What the child does before it becomes the service.

    Nobody is left to stop the children of a parent that was killed with SIGKILL, so on Linux
    the kernel is asked to. It acts when the *thread* that forked ends; that is the main thread
    here, which lives as long as the process. The library is loaded before the fork, for
    loading it after could deadlock.
    """
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def bind() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the call above took effect
            os._exit(1)

    return bind


def last_lines(log: Path, count: int = 8) -> list[str]:
    """The end of a log, as a person reads it."""
    try:
        with log.open(encoding="utf-8", errors="replace") as lines:
            return [_readable(line.rstrip()) for line in deque(lines, maxlen=count)]
    except OSError:
        return []


def _readable(line: str) -> str:
    try:
        fields = json.loads(line)
    except ValueError:
        return line
    if not isinstance(fields, dict) or "event" not in fields:
        return line
    shown = ("reason", "error", "exception")
    details = [str(fields[name]) for name in shown if fields.get(name)]
    return ": ".join([str(fields["event"]), *details])
