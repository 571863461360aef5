"""The keys of this gateway: read from their file, and again whenever it has changed."""

import asyncio
import hmac
from collections.abc import Callable
from pathlib import Path

from parley import api_keys, logs
from parley.api_keys import ApiKey, BadKeys

log = logs.get(__name__)

LOOK_SECONDS = 2.0
"""How often the file is looked at."""
SHARED = "shared"
"""The name of the key that PARLEY_TOKEN is."""


class Keyring:
    """Keys by name. `run` is the task that reads the file again."""

    def __init__(self, path: Path | None = None, shared: str | None = None) -> None:
        """`shared` is a key that is given in the environment. Raises OSError or BadKeys."""
        self._path = path
        self._shared = {} if shared is None else {SHARED: _unlimited(shared)}
        self._seen = self._state()
        self._unread = False
        self.keys = self._read()

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def needed(self) -> bool:
        """Whether callers must show a key. A file without any lets nobody in."""
        return self._path is not None or bool(self._shared)

    def find(self, secret: str) -> str | None:
        """The name of the key whose secret this is. Takes as long for any wrong one."""
        if not secret:
            return None
        shown = api_keys.digest(secret).encode()
        found = None
        for name, key in self.keys.items():
            for known in key.sha256:
                if hmac.compare_digest(shown, known.encode()):
                    found = name
        return found

    async def run(self, changed: Callable[[], None]) -> None:
        """Read the file again when it has changed, and call `changed`; until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._look():
                changed()

    def _look(self) -> bool:
        """Whether there are other keys now. Of a file that cannot be used none are taken.

        It is read once it is the same as the last time: who writes it may have emptied it first.
        """
        if (seen := self._state()) != self._seen:
            self._seen, self._unread = seen, True
            return False
        if not self._unread:
            return False
        self._unread = False
        try:
            self.keys = self._read()
        except (OSError, UnicodeDecodeError, BadKeys) as error:
            log.error("keys not read again: the old ones hold", reason=str(error))
            return False
        log.info("keys read", keys=sorted(self.keys))
        return True

    def _read(self) -> dict[str, ApiKey]:
        found = {} if self._path is None else api_keys.read(self._path)
        if clash := found.keys() & self._shared.keys():
            raise BadKeys(f"{clash.pop()!r} is the name of the key that PARLEY_TOKEN is")
        return {**found, **self._shared}

    def _state(self) -> tuple[int, int, int] | None:
        if self._path is None:
            return None
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino


def _unlimited(secret: str) -> ApiKey:
    return ApiKey(sha256=(api_keys.digest(secret),))
