import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from parley_cli import state
from parley_cli.errors import Failure


def test_each_user_and_port_has_a_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state.default_folder(8080) == tmp_path / "parley" / "8080"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert state.default_folder(8081) == tmp_path / ".local" / "state" / "parley" / "8081"


def test_what_is_kept_is_the_owners_and_the_next_ones(tmp_path: Path) -> None:
    folder = tmp_path / "parley" / "8080"
    with state.locked(folder):
        assert folder.stat().st_mode & 0o077 == 0
        (folder / "kept").write_text("x")
    with state.locked(folder):
        assert (folder / "kept").read_text() == "x"


HOLDER = """
import sys, time
from pathlib import Path
from parley_cli import state
with state.locked(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(60)
"""


async def test_two_engines_do_not_share_one_and_a_killed_one_leaves_it(tmp_path: Path) -> None:
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, str(tmp_path), stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"locked\n"
    with pytest.raises(Failure, match="another engine uses"), state.locked(tmp_path):
        pass
    holder.kill()
    await holder.wait()
    with state.locked(tmp_path):
        pass


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Failure, match="--state FOLDER"), state.locked(tmp_path / "file" / "x"):
        pass
