"""Keys for NATS, on disk."""

import re
from pathlib import Path

import nkeys
import pytest

from parley_cli import nats_keys
from parley_cli.errors import Failure, Usage


def seeds(folder: Path) -> dict[str, bytes]:
    return {user: (folder / user / "seed").read_bytes() for user in nats_keys.USERS}


def public_keys(folder: Path) -> dict[str, str]:
    return dict(re.findall(r"(\w+)_KEY: (U\w{55})", (folder / "nats" / "keys.conf").read_text()))


def test_a_key_for_each_user(tmp_path: Path) -> None:
    assert nats_keys.write(tmp_path) == list(nats_keys.USERS)
    found = seeds(tmp_path)
    assert len(set(found.values())) == len(nats_keys.USERS)
    for user, seed in found.items():
        pair = nkeys.from_seed(bytearray(seed.strip()))
        assert public_keys(tmp_path)[user.upper()] == pair.public_key.decode()
        assert (tmp_path / user / "seed").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "nats" / "keys.conf").stat().st_mode & 0o777 == 0o644
    written = (tmp_path / "nats" / "keys.conf").read_bytes()
    assert not any(seed.strip() in written for seed in found.values())


def test_what_is_there_stays(tmp_path: Path) -> None:
    nats_keys.write(tmp_path)
    before = seeds(tmp_path)
    assert nats_keys.write(tmp_path) == []
    (tmp_path / "stt" / "seed").unlink()
    assert nats_keys.write(tmp_path) == ["stt"]
    after = seeds(tmp_path)
    assert [user for user in before if before[user] != after[user]] == ["stt"]


def test_a_key_is_renewed(tmp_path: Path) -> None:
    nats_keys.write(tmp_path)
    before, known = seeds(tmp_path), public_keys(tmp_path)
    assert nats_keys.write(tmp_path, ["tts"]) == ["tts"]
    assert [user for user in before if before[user] != seeds(tmp_path)[user]] == ["tts"]
    assert [user for user in known if known[user] != public_keys(tmp_path)[user]] == ["TTS"]
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        "keys.conf",
        *["seed"] * 5,
    ]


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    with pytest.raises(Usage, match="no such user: voice"):
        nats_keys.write(tmp_path, ["voice"])
    nats_keys.write(tmp_path)
    (tmp_path / "agent" / "seed").write_text("SUAHALF")
    with pytest.raises(Failure, match="seed holds no nkey seed") as told:
        nats_keys.write(tmp_path)
    assert "SUAHALF" not in str(told.value)
