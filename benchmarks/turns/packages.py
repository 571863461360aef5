"""Debian packages that hold recordings: fetched and unpacked without being installed.

This needs apt and its lists, but not root. What cannot be had is None, and the corpus does
without it.
"""

import subprocess
from functools import cache
from pathlib import Path

CACHE = Path("build/turns/packages")
FETCH_SECONDS = 300


@cache
def unpacked(package: str) -> Path | None:
    """The folder with the package's files as they would be under /; None where it fails."""
    folder = CACHE / package
    if folder.exists():
        return folder
    try:
        archive = _fetched(package)
        unfinished = CACHE / f"{package}.unfinished"
        _run("dpkg-deb", "-x", str(archive.resolve()), str(unfinished.resolve()))
        unfinished.rename(folder)
        archive.unlink()
    except (OSError, subprocess.SubprocessError, LookupError):
        return None
    return folder


def _fetched(package: str) -> Path:
    CACHE.mkdir(parents=True, exist_ok=True)
    _run("apt-get", "download", "-q", package)
    found = sorted(CACHE.glob(f"{package}_*.deb"))
    if not found:
        raise LookupError(package)
    return found[-1]


def _run(*command: str) -> None:
    subprocess.run(command, cwd=CACHE, check=True, capture_output=True, timeout=FETCH_SECONDS)
