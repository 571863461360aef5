"""Where the engine keeps what outlives it: calls that may be resumed, and what was said."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parley_cli.errors import Failure


def default_folder(port: int) -> Path:
    """The folder of this user's engine at `port`, by the XDG rules: ~/.local/state/parley/PORT."""
    base = os.environ.get("XDG_STATE_HOME")
    home = Path(base) if base else Path.home() / ".local" / "state"
    return home / "parley" / str(port)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make the folder, readable by its owner only, and have it alone. Raises Failure.

    The lock goes with the process, however that ends: what it leaves is the next one's.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise Failure(
            f"cannot write to {folder} ({error.strerror}). Name another folder: --state FOLDER"
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Failure(
                f"another engine uses {folder}. Stop it, or name another folder: --state FOLDER"
            ) from None
        yield
