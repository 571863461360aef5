"""A reply's text on its way to the client, as it is written."""

from parley_gateway.client import Client
from parley_gateway.protocol import event


class ReplyText:
    """One turn's `reply` events. While it is `held` none are sent, and what they say is kept."""

    def __init__(self, client: Client, turn: int, *, held: bool = False) -> None:
        self._client = client
        self._turn = turn
        self._kept: str | None = "" if held else None

    def add(self, text: str) -> None:
        """The next piece."""
        if self._kept is not None:
            self._kept += text
        else:
            self._client.send_event(event("reply", text=text, turn=self._turn))

    def restart(self, text: str) -> None:
        """Of all pieces so far, this much stays."""
        text = f"{text} " if text else ""
        if self._kept is not None:
            self._kept = text
        else:
            self._client.send_event(event("reply", text=text, turn=self._turn, restart=True))

    def release(self) -> None:
        """Tell what was kept, and the rest as it comes."""
        kept, self._kept = self._kept, None
        if kept:
            self.add(kept)
