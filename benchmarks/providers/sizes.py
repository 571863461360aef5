"""What each provider's extra adds to a service: megabytes on the disk, and seconds of start."""

import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.providers.tables import names, table
from parley import providers
from parley.subjects import Stage

TRIES = 3


@dataclass(frozen=True)
class Cost:
    """What one extra adds to its service."""

    stage: Stage
    extra: str
    megabytes: float
    seconds: float


def costs() -> Iterator[Cost]:
    """Each provider of this repository that has an extra."""
    for stage in Stage:
        service = distribution(f"parley-voice-{stage}")
        base = _closure(service, "")
        bare = _import_seconds("parley.providers")
        for name in names(stage):
            extra = name.split("-")[0]
            if extra not in (service.metadata.get_all("Provides-Extra") or []):
                continue
            added = _closure(service, extra) - base
            module = providers._entry_points(stage)[name].module
            size = sum(_bytes(distribution(one)) for one in added)
            yield Cost(stage, name, size / 1e6, _import_seconds(module) - bare)


def costs_table() -> str:
    """The costs, as a table."""
    rows = [
        [str(one.stage), one.extra, f"{one.megabytes:.0f}", f"{one.seconds:.1f}"] for one in costs()
    ]
    return table(["stage", "provider", "MB more", "s of CPU more at start"], rows)


def _closure(root: Distribution, extra: str) -> set[str]:
    """The packages that `root`, with one of its extras, needs on this machine."""
    found: set[str] = set()
    waiting = [(root, frozenset({extra}))]
    while waiting:
        package, extras = waiting.pop()
        for line in package.requires or []:
            need = Requirement(line)
            wanted = any(
                need.marker is None or need.marker.evaluate({"extra": one})
                for one in extras or {""}
            )
            name = canonicalize_name(need.name)
            if not wanted or name in found:
                continue
            try:
                next_one = distribution(name)
            except PackageNotFoundError:
                continue  # an option that is not installed
            found.add(name)
            waiting.append((next_one, frozenset({"", *need.extras})))
    return found


def _bytes(package: Distribution) -> int:
    files = package.files or []
    paths = [package.locate_file(file) for file in files]
    return sum(path.stat().st_size for path in paths if path.is_file())  # type: ignore[attr-defined]


def _import_seconds(module: str) -> float:
    """CPU time of a new process that imports the module; the median of a few."""
    code = f"import {module}, time; print(time.process_time())"
    runs = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
        for _ in range(TRIES)
    ]
    return statistics.median(runs)
