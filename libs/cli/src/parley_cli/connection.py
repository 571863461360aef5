"""One connection of a call: what crosses it, and how it ends."""

import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from parley_cli.events import Event

LOST_CODES = (None, 1001, 1006, 1011, 1012)
"""How a connection closes that somebody on the way has cut: without a code, or with these."""
NOT_THE_END = (
    "draining", "internal_error", "no_capacity", "client_too_slow", "client_gone", "too_many_calls"
)  # fmt: skip
"""Why a server closes the connection of a call that can go on over another one."""
RESUME_SECONDS = 60.0
"""How long a server waits for a call to be resumed, where it does not say."""
IN_WORDS = {
    "idle": "you said nothing for a long time",
    "bot_hang_up": "the bot has ended the call",
}
"""Why a server ends a call, where its own word for that does not say enough."""


class Connection:
    """A WebSocket on which the server has said `ready`."""

    def __init__(self, socket: ClientConnection, address: str, ready: Event) -> None:
        self.address = address
        self.ready = ready
        self.close_code: int | None = None
        """The code with which the server closed the connection, once it has."""
        self.retry_after = 0.0
        """Seconds that the server wants to pass before another connection is made."""
        self._socket = socket
        self._cause: str | None = None
        self._why: str | None = None

    @property
    def resume_token(self) -> str | None:
        """What lets another connection take up the call; None where none can."""
        token = self.ready.data.get("resume_token")
        return None if token is None else str(token)

    @property
    def resume_seconds(self) -> float:
        """How long the server waits for that, from when this connection is lost."""
        return float(self.ready.data.get("resume_seconds") or RESUME_SECONDS)

    @property
    def lost(self) -> bool:
        """Whether it was closed although the call is not over."""
        if self._cause is not None:
            return self._cause in NOT_THE_END
        return self.close_code in LOST_CODES

    @property
    def why_closed(self) -> str:
        """Why it was closed, in words."""
        return self._why or f"the server closed the connection ({self.close_code})"

    async def send(self, message: bytes | str) -> bool:
        """Send audio or a JSON text; False where the connection is closed."""
        try:
            await self._socket.send(message)
        except ConnectionClosed:
            return False
        return True

    async def messages(self) -> AsyncIterator[bytes | Event]:
        """What the server sends, audio and events, until the connection is closed."""
        try:
            while True:
                message = await self._socket.recv()
                if isinstance(message, bytes):
                    yield message
                    continue
                event = Event(time.monotonic(), json.loads(message))
                self._note_last_words(event.data)
                yield event
        except ConnectionClosed as closed:
            if closed.rcvd:
                self.close_code = closed.rcvd.code
                if self.close_code not in LOST_CODES:
                    self._cause = self._cause or closed.rcvd.reason

    def drop(self) -> None:
        """Abort the TCP connection, as a broken network does."""
        self._socket.transport.abort()

    async def close(self) -> None:
        """Close it, which hangs up."""
        await self._socket.close()

    def _note_last_words(self, data: Mapping[str, Any]) -> None:
        match data:
            case {"type": "error", "fatal": True, "code": code, "message": message}:
                self._cause, self._why = str(code), str(message)
                self.retry_after = retry_after(data)
            case {"type": "end", "reason": reason}:
                self._cause = str(reason)
                self._why = self._why or in_words(reason)


def in_words(reason: object) -> str:
    """What an `end` with this reason tells a person."""
    return IN_WORDS.get(str(reason), str(reason))


def retry_after(error: Mapping[str, Any]) -> float:
    """Seconds after which the server that sent this `error` wants to be asked again."""
    return float(error.get("retry_after_ms") or 0) / 1000
