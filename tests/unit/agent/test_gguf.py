"""The language model's file is rewritten once, and used as it is where that cannot be."""

import hashlib
from pathlib import Path

import pytest

from parley_agent.embedded import gguf

EMPTY = b"GGUF" + (3).to_bytes(4, "little") + bytes(16) + bytes(8)
"""A file without tensors, which rewritten is the same."""


@pytest.fixture
def original(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(gguf, "QUICK", hashlib.sha256(EMPTY).hexdigest())
    path = tmp_path / "model.gguf"
    path.write_bytes(EMPTY)
    return path


def test_it_is_made_once(original: Path, tmp_path: Path) -> None:
    quick = gguf.quickened(original)
    made = quick.stat()
    assert quick.read_bytes() == EMPTY
    assert list((tmp_path / "cache" / "parley").iterdir()) == [quick]
    assert gguf.quickened(original).stat() == made


def test_a_damaged_one_is_made_anew(original: Path) -> None:
    quick = gguf.quickened(original)
    quick.write_bytes(b"half")
    assert gguf.quickened(original).read_bytes() == EMPTY


def test_the_original_is_used_where_nothing_can_be_kept(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(original))
    assert gguf.quickened(original) == original


def test_the_original_is_used_where_it_comes_out_different(
    original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gguf, "QUICK", "0" * 64)
    assert gguf.quickened(original) == original


def test_the_original_is_used_where_it_cannot_be_rewritten(original: Path, tmp_path: Path) -> None:
    original.write_bytes(b"no model, but long enough")
    assert gguf.quickened(original) == original
    assert not list((tmp_path / "cache" / "parley").iterdir())
