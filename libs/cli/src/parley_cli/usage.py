"""What a process uses: processor time and memory."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Usage:
    """A reading of one process."""

    cpu_seconds: float
    rss_bytes: int


def read(pid: int) -> Usage | None:
    """What the process has used so far; None where that cannot be known."""
    return _from_proc(pid) if Path("/proc/self/stat").exists() else _from_psutil(pid)


def _from_proc(pid: int) -> Usage | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
    except OSError:
        return None
    # The name comes in parentheses and may hold spaces; counting begins after it.
    fields = stat.rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return Usage(ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE"))


def _from_psutil(pid: int) -> Usage | None:
    try:
        import psutil
    except ImportError:
        return None
    try:
        process = psutil.Process(pid)
        times = process.cpu_times()
        return Usage(times.user + times.system, process.memory_info().rss)
    except psutil.Error:
        return None
