"""What `make audit` makes of what it is told. The advisories themselves are asked for there."""

import importlib.util
import json
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PATH = Path(__file__).parents[3] / "requirements" / "audit.py"
GOOD: dict[str, Any] = {"name": "good", "version": "1", "vulns": []}
BAD: dict[str, Any] = {
    "name": "bad",
    "version": "2",
    "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["3"]}],
}
SKIPPED = {"name": "private", "skip_reason": "not found"}


@pytest.fixture
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("found", "code", "said"),
    [
        ([GOOD], 0, "0 known vulnerabilities"),
        ([GOOD, BAD], 1, "bad 2: PYSEC-1, CVE-1; mended in 3"),
        ([GOOD, SKIPPED], 0, "1 packages asked for, of 2"),
        ([SKIPPED], 2, "nothing is known"),
    ],
)
def test_what_is_found(
    audit: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    found: list[dict[str, Any]],
    code: int,
    said: str,
) -> None:
    output = json.dumps({"dependencies": found})

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, output, "")

    monkeypatch.setattr(subprocess, "run", run)
    assert audit.main() == code
    assert said in capsys.readouterr().out


def test_nobody_can_be_asked(
    audit: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "Traceback\nConnectionError: no name")

    monkeypatch.setattr(subprocess, "run", run)
    assert audit.main() == 2
    assert "ConnectionError: no name" in capsys.readouterr().out


def test_all_that_is_pinned_is_asked_for(audit: ModuleType) -> None:
    assert all((PATH.parent / name).exists() for name in audit.PINNED)
