"""The native transport: one WebSocket is one caller's connection. See docs/protocol.md."""

import asyncio
import contextlib
import json

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from parley import logs
from parley_gateway import metrics, protocol
from parley_gateway.outbox import Outbox
from parley_gateway.protocol import AudioFormat, ProtocolError, ServerEvent, event

log = logs.get(__name__)

NORMAL_CLOSE = 1000
INTERNAL_ERROR = 1011
HANG_UP_CLOSES = (1000, 1005)
"""The codes with which a client closes that means to hang up; 1005 is a close without a code."""
CLOSING_SECONDS = 2.0
"""How long a client may take to read the last words and close."""


class HungUp(Exception):
    """The client has closed the connection, as one does after a call."""


class Gone(Exception):
    """The connection is lost."""


class WebSocketClient:
    """The caller's connection, as a conversation sees it."""

    def __init__(self, audio_format: AudioFormat) -> None:
        self.format = audio_format
        self.outbox = Outbox()

    def send_event(self, event: ServerEvent) -> None:
        """Tell the client something."""
        self.outbox.put_text(json.dumps(event, ensure_ascii=False))

    def send_audio(self, pcm: bytes) -> None:
        """Deliver a frame."""
        self.outbox.put_frame(self.format.encode(pcm))

    def clear(self) -> None:
        """Drop what waits here, and tell the client to do the same."""
        self.outbox.drop_audio()
        self.send_event(event("clear"))

    @property
    def undelivered_ms(self) -> float:
        """Audio (ms) that waits here."""
        return self.outbox.audio_ms


class Connection:
    """An accepted WebSocket, and what waits to be sent on it."""

    def __init__(self, websocket: WebSocket, audio_format: AudioFormat) -> None:
        self.client = WebSocketClient(audio_format)
        self._websocket = websocket

    async def receive(self) -> bytes | str:
        """The client's next message. Raises HungUp or Gone."""
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            # A lost connection comes with 1005, too, but without a reason.
            closed = message.get("code") in HANG_UP_CLOSES and "reason" in message
            raise HungUp if closed else Gone
        data: bytes | str | None = message.get("bytes")
        return data if data is not None else str(message.get("text") or "")

    async def write(self) -> None:
        """Send what waits; returns when the connection is lost."""
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            while True:
                item = await self.client.outbox.get()
                if isinstance(item, bytes):
                    await self._websocket.send_bytes(item)
                else:
                    await self._websocket.send_text(item)

    async def close(self, reason: str, error: ProtocolError | None) -> None:
        """The last words, then the close; bounded, whatever the client does."""
        code = NORMAL_CLOSE
        if error is not None:
            self.client.send_event(protocol.error_event(error))
            code = error.close_code or INTERNAL_ERROR
        self.client.send_event(event("end", reason=reason))
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
            async with asyncio.timeout(CLOSING_SECONDS):
                if self._websocket.client_state is WebSocketState.CONNECTED:
                    for text in self.client.outbox.drain():
                        await self._websocket.send_text(text)
                    await self._websocket.close(code, reason)


async def refuse(websocket: WebSocket, error: ProtocolError) -> None:
    """Tell a client why it cannot be served, and close."""
    metrics.REFUSALS.labels(error.code).inc()
    log.info("call refused", code=error.code, reason=str(error))
    with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
        async with asyncio.timeout(CLOSING_SECONDS):
            await websocket.send_text(json.dumps(protocol.error_event(error)))
            await websocket.close(error.close_code or INTERNAL_ERROR, error.code)
