"""Echo policy `mute`: the transcriber hears silence while the bot's own voice may come back."""

import asyncio
from collections.abc import Callable

from parley_gateway.echo.base import Echo

ECHO_TAIL_SECONDS = 0.3
"""How long after its last sound the bot's echo may still arrive."""


class EchoMute(Echo):
    """Mutes hearing while the bot is heard, and a little longer."""

    def __init__(self, mute: Callable[[bool], None]) -> None:
        self._mute = mute
        self._unmuting: asyncio.TimerHandle | None = None

    def bot_heard(self) -> None:
        """The bot's first sound of a turn goes out."""
        self.close()
        self._mute(True)

    def bot_silent(self) -> None:
        """The bot's last sound of a turn was heard, or it was silenced."""
        self.close()
        loop = asyncio.get_running_loop()
        self._unmuting = loop.call_later(ECHO_TAIL_SECONDS, self._mute, False)

    def close(self) -> None:
        """Change nothing any more."""
        if self._unmuting is not None:
            self._unmuting.cancel()
            self._unmuting = None
