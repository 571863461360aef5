"""A hearing by Deepgram: what v1 and Flux have in common.

The SDK does not tell a connection that ends in the middle from one that was told to, and does not
connect again.
"""

from abc import abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import ClassVar, Generic

from parley.accounts import Account
from parley.providers import Cue, Emit
from parley.statuses import broken_off, not_understood
from parley_stt.clouds.connections import Connections
from parley_stt.clouds.deepgram_connection import BROKEN, WHO, Socket, opened, sending
from parley_stt.clouds.deepgram_wire import NotUnderstoodError
from parley_stt.tasks import task_group

LARGEST_BYTES = 32_000
"""Audio in one message: 1 s."""
SLACK_MS = 300.0
"""An answer to FINALIZE covers all audio before it, but for so much that is still on its way."""
COVER_MS = 400.0
"""A turn ends with more silence than this: what Deepgram has heard up to so much before FINALIZE
has all of its words."""


class DeepgramStream(Connections, Generic[Socket]):
    """One conversation's hearing. `account` gives leave for each connection of `connect`."""

    CHUNK_BYTES: ClassVar[int] = 1
    """Audio is sent in pieces of at least this size."""

    def __init__(
        self,
        account: Account,
        connect: Callable[[], AbstractAsyncContextManager[Socket]],
        audio: AsyncIterator[bytes | Cue],
        emit: Emit,
    ) -> None:
        super().__init__(WHO, _finalized(audio), emit)
        self._account = account
        self._connect_socket: Callable[[], AbstractAsyncContextManager[Socket]] = connect
        self._covered_ms = 0.0
        """Up to this position the connection has told what it heard."""

    @abstractmethod
    async def keep_alive(self, socket: Socket) -> None:
        """Nothing was sent for `idle_seconds`."""

    @abstractmethod
    async def finalize(self, socket: Socket) -> None:
        """FINALIZE has just been reached."""

    async def hasten(self, socket: Socket) -> None:
        """Something came while an answer to FINALIZE is owed: see whether it can be had now."""

    @abstractmethod
    def hear(self, message: object) -> None:
        """Tell what a message says. Raises NotUnderstoodError, or ProviderError."""

    def covers(self, end_ms: float) -> None:
        """The connection has told what it heard up to this position."""
        self._covered_ms = max(self._covered_ms, end_ms)
        self.gave_sign()

    @property
    def is_all(self) -> bool:
        """Deepgram says of which time its words are, also where there are none."""
        asked_ms = self.replay.asked_ms
        return asked_ms is not None and self._covered_ms >= asked_ms - COVER_MS

    @property
    def may_be_all(self) -> bool:
        """What it has not told of is missing."""
        return False

    def is_answer(self, end_ms: float, slack_ms: float = SLACK_MS) -> bool:
        """Whether a final of the audio up to there answers the oldest FINALIZE."""
        asked_ms = self.replay.asked_ms
        return asked_ms is not None and end_ms >= asked_ms - slack_ms

    async def connection(self) -> None:
        """Hear over one connection, until the audio is over."""
        self._covered_ms = 0.0
        async with (
            self._account.stream(),
            opened(self._connect_socket()) as socket,
            task_group() as tasks,
        ):
            receiving = tasks.create_task(self._receive(socket))
            await self._send(socket)
            receiving.cancel()

    async def _send(self, socket: Socket) -> None:
        while (item := await self.take(self.CHUNK_BYTES, LARGEST_BYTES)) is not None:
            async with sending():
                match item:
                    case Cue():
                        await self.finalize(socket)
                    case b"":
                        await self.keep_alive(socket)
                    case _:
                        await socket.send_media(item)
        async with sending():
            await socket.send_close_stream()

    async def _receive(self, socket: Socket) -> None:
        try:
            async for message in socket:
                self.hear(message)
                if self.replay.owes:
                    async with sending():
                        await self.hasten(socket)
        except NotUnderstoodError:
            raise not_understood(WHO) from None
        except BROKEN:
            raise broken_off(WHO) from None
        raise broken_off(WHO)


async def _finalized(audio: AsyncIterator[bytes | Cue]) -> AsyncIterator[bytes | Cue]:
    """The audio, and FINALIZE at its end."""
    last: bytes | Cue = Cue.FINALIZE
    async for last in audio:
        yield last
    if last is not Cue.FINALIZE:
        yield Cue.FINALIZE
