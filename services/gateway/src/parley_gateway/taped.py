"""A caller's connection whose audio is recorded as well."""

from parley_gateway.client import Client
from parley_gateway.protocol import ServerEvent
from parley_gateway.recordings import Recording


class Taped:
    """A Client that gives `recording` what the caller's ear hears."""

    def __init__(self, client: Client, recording: Recording) -> None:
        self.format = client.format
        self._client = client
        self._recording = recording

    def send_event(self, event: ServerEvent) -> None:
        """Tell the caller's side something."""
        self._client.send_event(event)

    def send_audio(self, pcm: bytes) -> None:
        """Deliver one frame of PCM16."""
        self._recording.bot(pcm)
        self._client.send_audio(pcm)

    def clear(self) -> None:
        """Deliver no audio that is still here, and have the caller's side drop what it holds."""
        self._recording.clear()
        self._client.clear()

    @property
    def undelivered_ms(self) -> float:
        """Audio (ms) that was sent but is still here, because the caller's side reads slowly."""
        return self._client.undelivered_ms
