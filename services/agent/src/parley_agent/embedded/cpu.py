"""Whether this machine's processor can run the prebuilt llama.cpp."""

import platform
from pathlib import Path

NEEDED = frozenset({"avx2", "fma", "f16c", "bmi2"})
"""What the x86 build uses without asking; a processor without it kills the process."""

_CPUINFO = Path("/proc/cpuinfo")


def missing_features() -> set[str]:
    """The needed features that the processor lacks; none where that cannot be known."""
    if platform.machine() not in ("x86_64", "AMD64") or not _CPUINFO.exists():
        return set()
    return missing_in(_CPUINFO.read_text(errors="replace"))


def missing_in(cpuinfo: str) -> set[str]:
    """The needed features that the text of /proc/cpuinfo does not name."""
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "flags":
            return set(NEEDED.difference(value.split()))
    return set()
