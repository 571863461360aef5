"""A caller's connection whose audio the echo policy is told of, whoever sends it."""

from collections.abc import Callable

from parley_gateway.client import Client
from parley_gateway.echo.base import Echo
from parley_gateway.protocol import ServerEvent


class Overheard:
    """A Client that tells `echo` what the ear hears and what is dropped."""

    def __init__(self, client: Client, echo: Echo, clock: Callable[[], float]) -> None:
        self.format = client.format
        self._client = client
        self._echo = echo
        self._clock = clock

    def send_event(self, event: ServerEvent) -> None:
        """Tell the caller's side something."""
        self._client.send_event(event)

    def send_audio(self, pcm: bytes) -> None:
        """Deliver one frame of PCM16. The ear hears it after those before it."""
        self._echo.played(self._clock(), pcm)
        self._client.send_audio(pcm)

    def clear(self) -> None:
        """Deliver no audio that is still here, and have the caller's side drop what it holds."""
        self._echo.cleared(self._clock())
        self._client.clear()

    @property
    def undelivered_ms(self) -> float:
        """Audio (ms) that was sent but is still here, because the caller's side reads slowly."""
        return self._client.undelivered_ms
