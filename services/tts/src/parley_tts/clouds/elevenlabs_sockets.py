"""ElevenLabs over WebSockets: many sentences share a socket, each in a context of its own.

The SDK knows only the single-context socket, and reads it with blocking calls: the socket is
ours.
"""

import asyncio
import logging
import uuid
from collections.abc import AsyncGenerator
from contextlib import suppress
from datetime import UTC, datetime

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.frames import CloseCode
from websockets.protocol import State

from parley.faults import ProviderError
from parley.patience import Patience
from parley.retry_after import retry_after
from parley.statuses import broken_off, error_of, late, not_understood, unreachable
from parley_tts.clouds.elevenlabs_wire import (
    WHO,
    Frame,
    Piece,
    Voice,
    close_context,
    error_named,
    open_context,
    read_frame,
    send_text,
    socket_url,
)

CONTEXTS = 5
"""So many contexts ElevenLabs allows a socket. One that was closed counts until it is final."""
IDLE_SECONDS = 60.0
"""A socket is closed after so long without speech."""
_CLOSE_SECONDS = 0.5
_FRAMES = 1000
"""No sentence has so many frames: more of them waiting means that nobody reads them."""

_quiet = logging.getLogger(f"{__name__}.quiet")
_quiet.disabled = True
"""What websockets logs quotes the key and the text."""


class _Connect(connect):
    """Follows no redirect: the header with the key would go to wherever it leads."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class Sockets:
    """The sockets of one voice, shared by all calls."""

    def __init__(self, base_url: str | None, key: str, voice: Voice, patience: Patience) -> None:
        self._url = socket_url(base_url, voice)
        self._key = key
        self._voice = voice
        self._patience = patience
        self._sockets: list[_Socket] = []
        self._opening = asyncio.Lock()

    async def speak(self, text: str) -> AsyncGenerator[Piece, None]:
        """Yield the speech of a text; ends where the server says that it is complete."""
        context = await self._context()
        has_begun = False
        try:
            await context.send(open_context(context.id, self._voice))
            await context.send(send_text(context.id, text))
            while True:
                limit = self._patience.between if has_begun else self._patience.first
                frame = await context.next(limit)
                if frame.piece.audio and not has_begun:
                    # Not earlier: the server may take the close before the text, and say nothing.
                    has_begun = True
                    if not frame.is_final:
                        await context.send(close_context(context.id))
                yield frame.piece
                if frame.is_final:
                    return
        finally:
            await context.leave()

    async def close(self) -> None:
        """Close all sockets; what is being spoken is broken off."""
        sockets, self._sockets = self._sockets, []
        for socket in sockets:
            await socket.close()

    async def _context(self) -> "_Context":
        async with self._opening:
            for gone in [each for each in self._sockets if not each.is_open]:
                self._sockets.remove(gone)
                await gone.close()
            socket = next((each for each in self._sockets if each.has_room), None)
            if socket is None:
                socket = _Socket(await self._connect())
                self._sockets.append(socket)
            return socket.context()

    async def _connect(self) -> ClientConnection:
        try:
            return await _Connect(
                self._url,
                additional_headers={"xi-api-key": self._key},
                compression=None,
                open_timeout=self._patience.first,
                close_timeout=_CLOSE_SECONDS,
                max_size=2**24,
                logger=_quiet,
            )
        except InvalidStatus as refused:
            response = refused.response
            wait = retry_after(response.headers, datetime.now(UTC))
            raise error_of(response.status_code, WHO, wait) from None
        except TimeoutError:
            raise late(WHO) from None
        except (OSError, WebSocketException):
            raise unreachable(WHO) from None


class _Socket:
    """One socket, and the task that reads it."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._contexts: dict[str, _Context] = {}
        self._reader = asyncio.create_task(self._read())

    @property
    def is_open(self) -> bool:
        return self._connection.state is State.OPEN

    @property
    def has_room(self) -> bool:
        return self.is_open and len(self._contexts) < CONTEXTS

    def context(self) -> "_Context":
        context = _Context(self)
        self._contexts[context.id] = context
        return context

    def holds(self, context: "_Context") -> bool:
        return self.is_open and context.id in self._contexts

    async def send(self, message: str) -> None:
        try:
            await self._connection.send(message)
        except ConnectionClosed:
            raise broken_off(WHO) from None

    async def close(self) -> None:
        self._reader.cancel()
        await asyncio.wait({self._reader})
        await self._connection.close()

    async def _read(self) -> None:
        why = broken_off(WHO)
        try:
            while (message := await self._receive()) is not None:
                frame = read_frame(message)
                if frame.context is None and frame.error is not None:
                    why = frame.error
                    break
                self._deliver(frame)
        except ConnectionClosed as closed:
            if closed.rcvd is not None and closed.rcvd.code == CloseCode.POLICY_VIOLATION:
                why = error_named(closed.rcvd.reason)
        except ValueError:
            # Whose it was is not known, so every sentence may have a hole.
            why = not_understood(WHO)
        finally:
            for context in self._contexts.values():
                context.fail(why)
            await self._connection.close()

    async def _receive(self) -> str | bytes | None:
        """The next message; None where nobody has wanted one for long."""
        while True:
            try:
                async with asyncio.timeout(IDLE_SECONDS):
                    return await self._connection.recv()
            except TimeoutError:
                if not any(context.is_wanted for context in self._contexts.values()):
                    return None

    def _deliver(self, frame: Frame) -> None:
        """What is for no context, or one that was left, is too late: nobody wants it."""
        context = self._contexts.get(frame.context or "")
        if context is None:
            return
        if frame.is_final or frame.error is not None:
            del self._contexts[context.id]
        if frame.error is not None:
            context.fail(frame.error)
        elif frame.is_final or frame.piece.audio or frame.piece.characters:
            context.give(frame)


class _Context:
    """One sentence on its way."""

    def __init__(self, socket: _Socket) -> None:
        self.id = uuid.uuid4().hex
        self.is_wanted = True
        self._socket = socket
        self._frames: asyncio.Queue[Frame | ProviderError] = asyncio.Queue(_FRAMES)

    async def send(self, message: str) -> None:
        await self._socket.send(message)

    async def next(self, limit: float) -> Frame:
        """The next frame, within `limit` seconds. Raises ProviderError."""
        try:
            async with asyncio.timeout(limit):
                item = await self._frames.get()
        except TimeoutError:
            raise late(WHO) from None
        if isinstance(item, ProviderError):
            raise item from None
        return item

    def give(self, frame: Frame) -> None:
        if not self.is_wanted:
            return
        try:
            self._frames.put_nowait(frame)
        except asyncio.QueueFull:
            self.fail(broken_off(WHO))

    def fail(self, why: ProviderError) -> None:
        if self._frames.full():
            self._frames.get_nowait()
        self._frames.put_nowait(why)

    async def leave(self) -> None:
        """Nobody listens any more: if it is not at its end, the server is told to stop."""
        self.is_wanted = False
        if self._socket.holds(self):
            with suppress(ProviderError, TimeoutError):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await self.send(close_context(self.id))
