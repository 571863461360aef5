"""What a client sends: checked against its limits, then done."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from parley_gateway import metrics, protocol
from parley_gateway.limits import TokenBucket
from parley_gateway.protocol import ProtocolError, event
from parley_gateway.websocket import WebSocketClient

MAX_ERRORS = 100
"""A client that has sent so many bad messages is refused."""
TEXT_RATE, TEXT_BURST = 50.0, 200
"""JSON messages: so many a second, and so many at once."""
TURN_RATE, TURN_BURST = 1.0, 20
"""Typed turns among them: each has a reply made, which costs money."""
FRAME_RATE, FRAME_BURST = 500.0, 5000
"""Binary messages. A resumed call may send 10 s of audio at once, in frames of 2.7 ms."""


class Listener(Protocol):
    """What of a conversation a client can reach."""

    async def audio(self, pcm: bytes) -> None:
        """PCM16 of the caller's voice."""

    def user_text(self, text: str) -> None:
        """A typed turn."""

    def interrupt(self) -> None:
        """Silence the bot."""

    def playback(self, turn: int, ms: float) -> None:
        """So much of a turn was played."""


class Inbound:
    """The messages of one connection. `heard_at` is when the latest came (event loop's clock).

    `on_audio` is told the caller's audio (PCM16) too, as it arrives.
    """

    def __init__(
        self,
        client: WebSocketClient,
        listener: Listener,
        on_audio: Callable[[bytes], None] | None = None,
    ) -> None:
        self._client = client
        self._listener = listener
        self._on_audio = on_audio
        self._clock = asyncio.get_running_loop().time
        self._began = self.heard_at = self._clock()
        self._texts = TokenBucket(TEXT_RATE, TEXT_BURST)
        self._turns = TokenBucket(TURN_RATE, TURN_BURST)
        self._frames = TokenBucket(FRAME_RATE, FRAME_BURST)
        self._bytes = 0
        self._errors = 0

    async def take(self, message: bytes | str) -> bool:
        """Do what a message asks; True when the client hangs up.

        Raises ProtocolError for one that ends the call; of others the client is told here.
        """
        self.heard_at = self._clock()
        try:
            if isinstance(message, bytes):
                await self._audio(message)
                return False
            return self._text(message)
        except ProtocolError as error:
            self._report(error)
            return False

    async def _audio(self, data: bytes) -> None:
        if len(data) > protocol.MAX_FRAME_BYTES:
            raise protocol.frame_too_large(len(data))
        if not self._frames.admits(self.heard_at):
            raise protocol.too_many_messages()
        self._bytes += len(data)
        seconds = self._bytes / self._client.format.bytes_per_second
        if seconds - (self.heard_at - self._began) > protocol.MAX_AHEAD_SECONDS:
            raise protocol.audio_too_fast()
        pcm = self._client.format.decode(data)
        if self._on_audio is not None:
            self._on_audio(pcm)
        await self._listener.audio(pcm)

    def _text(self, text: str) -> bool:
        if (size := len(text.encode())) > protocol.MAX_FRAME_BYTES:
            raise protocol.frame_too_large(size)
        if not self._texts.admits(self.heard_at):
            raise protocol.too_many_messages()
        match protocol.parse_client_message(text):
            case protocol.InterruptRequest():
                self._listener.interrupt()
            case protocol.TextTurn(text=said):
                if not self._turns.admits(self.heard_at):
                    raise protocol.too_many_messages()
                self._listener.user_text(said)
            case protocol.Playback(turn=turn, ms=ms):
                self._listener.playback(turn, ms)
            case protocol.Ping():
                self._client.send_event(event("pong"))
            case protocol.EndRequest():
                return True
        return False

    def _report(self, error: ProtocolError) -> None:
        metrics.CLIENT_ERRORS.labels(error.code).inc()
        self._errors += 1
        if self._errors > MAX_ERRORS:
            error = ProtocolError("too_many_errors", "too many bad messages", 4400)
        if error.close_code is not None:
            raise error
        self._client.send_event(protocol.error_event(error))
