"""What a conversation needs of the caller's side, whatever the transport."""

from typing import Protocol

from parley_gateway.protocol import AudioFormat, ServerEvent


class Client(Protocol):
    """The caller's connection. Nothing here blocks: the transport drains in its own time."""

    format: AudioFormat

    def send_event(self, event: ServerEvent) -> None:
        """Tell the caller's side something."""

    def send_audio(self, pcm: bytes) -> None:
        """Deliver one frame of PCM16, to be played after those before it."""

    def clear(self) -> None:
        """Deliver no audio that is still here, and have the caller's side drop what it holds."""

    @property
    def undelivered_ms(self) -> float:
        """Audio (ms) that was sent but is still here, because the caller's side reads slowly."""
