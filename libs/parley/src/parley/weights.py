"""Weight files come inside pinned packages and are checked before they are used."""

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from parley.providers import ProviderError


@dataclass(frozen=True)
class WeightFile:
    """A file of an installed package, with the only content that is accepted."""

    package: str
    """The name under which the package is imported; it never is."""
    requirement: str
    """What to install to have it."""
    path: str
    """Where the file is inside the package."""
    sha256: str

    def verified(self) -> Path:
        """Where the file is. Raises ProviderError if it is missing or not the one expected."""
        spec = find_spec(self.package)
        path = Path(spec.origin).parent / self.path if spec and spec.origin else None
        if path is None or not path.is_file():
            raise ProviderError(
                f"{self.path} of {self.package} is missing: pip install {self.requirement}"
            )
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != self.sha256:
            raise ProviderError(
                f"{path} has sha256 {found[:12]}..., expected {self.sha256[:12]}...: "
                f"pip install --force-reinstall {self.requirement}"
            )
        return path
