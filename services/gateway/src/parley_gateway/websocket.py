"""The native transport: one WebSocket is one conversation. See docs/protocol.md."""

import asyncio
import contextlib
import json
import secrets

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from parley import logs
from parley.messages import Retry
from parley.profiles import Profile
from parley_gateway import metrics, protocol
from parley_gateway.conversation import Conversation, Engine
from parley_gateway.jobs import JobLost
from parley_gateway.outbox import Outbox
from parley_gateway.protocol import AudioFormat, ProtocolError, ServerEvent, event

log = logs.get(__name__)

NORMAL_CLOSE = 1000
INTERNAL_ERROR = 1011
CLOSING_SECONDS = 2.0
"""How long a client may take to read the last words and close."""
MAX_ERRORS = 100
"""A client that has sent so many bad messages is refused."""


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


async def refuse(websocket: WebSocket, error: ProtocolError) -> None:
    """Tell a client why it cannot be served, and close."""
    metrics.REFUSALS.labels(error.code).inc()
    log.info("call refused", code=error.code, reason=str(error))
    with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
        async with asyncio.timeout(CLOSING_SECONDS):
            await websocket.send_text(json.dumps(protocol.error_event(error)))
            await websocket.close(error.close_code or INTERNAL_ERROR, error.code)


class Session:
    """Runs one call over an accepted WebSocket."""

    def __init__(
        self, websocket: WebSocket, agent: str, profile: Profile, audio_format: AudioFormat
    ) -> None:
        self.id = secrets.token_hex(8)
        self._websocket = websocket
        self._agent = agent
        self._profile = profile
        self._client = WebSocketClient(audio_format)
        self._reason = "hang_up"
        self._close_code = NORMAL_CLOSE
        self._bytes_in = 0
        self._errors = 0

    async def run(self, engine: Engine, draining: asyncio.Event) -> str:
        """Hold the call to its end; the reason why it ended."""
        conversation = Conversation(self.id, self._profile, self._client, engine)
        try:
            await conversation.open()
            self._say_ready()
            await self._converse(conversation, draining)
        except* JobLost as lost:
            self._fail(_refusal(lost))
        except* Exception:
            log.exception("conversation failed", conversation=self.id)
            self._fail(ProtocolError("internal_error", "internal error", INTERNAL_ERROR))
        finally:
            await conversation.close()
            await self._close()
        return self._reason

    def _say_ready(self) -> None:
        audio = self._client.format
        self._client.send_event(
            event(
                "ready",
                conversation_id=self.id,
                resume_token=secrets.token_urlsafe(24),
                agent=self._agent,
                sample_rate=audio.sample_rate,
                encoding=audio.encoding,
            )
        )

    async def _converse(self, conversation: Conversation, draining: asyncio.Event) -> None:
        """Talk until the call, the client, its patience or the server ends."""
        talk = asyncio.create_task(conversation.run())
        watchers = [
            asyncio.create_task(self._read(conversation)),
            asyncio.create_task(self._write()),
            asyncio.create_task(self._watch_overflow()),
            asyncio.create_task(self._watch_draining(draining)),
        ]
        try:
            await asyncio.wait([talk, *watchers], return_when=asyncio.FIRST_COMPLETED)
        finally:
            conversation.end()
            for task in watchers:
                task.cancel()
            results = await asyncio.gather(talk, *watchers, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    # --- From the client

    async def _read(self, conversation: Conversation) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                self._reason = "client_gone"
                return
            data = message.get("bytes")
            text = message.get("text")
            try:
                if data is not None:
                    self._check_pace(data, clock() - began)
                    await conversation.audio(self._client.format.decode(data))
                elif text is not None and self._on_text(conversation, text):
                    return
            except ProtocolError as error:
                if self._report(error):
                    return

    def _check_pace(self, data: bytes, elapsed: float) -> None:
        if len(data) > protocol.MAX_FRAME_BYTES:
            raise protocol.frame_too_large(len(data))
        self._bytes_in += len(data)
        ahead = self._bytes_in / self._client.format.bytes_per_second - elapsed
        if ahead > protocol.MAX_AHEAD_SECONDS:
            raise protocol.audio_too_fast()

    def _on_text(self, conversation: Conversation, text: str) -> bool:
        """Do what the client asks; True when it hangs up."""
        if (size := len(text.encode())) > protocol.MAX_FRAME_BYTES:
            raise protocol.frame_too_large(size)
        match protocol.parse_client_message(text):
            case protocol.InterruptRequest():
                conversation.interrupt()
            case protocol.TextTurn(text=said):
                conversation.user_text(said)
            case protocol.Playback(turn=turn, ms=ms):
                conversation.playback(turn, ms)
            case protocol.Ping():
                self._client.send_event(event("pong"))
            case protocol.EndRequest():
                return True
        return False

    def _report(self, error: ProtocolError) -> bool:
        """Tell the client of its mistake; True when it ends the call."""
        metrics.CLIENT_ERRORS.labels(error.code).inc()
        self._errors += 1
        if self._errors > MAX_ERRORS:
            error = ProtocolError("too_many_errors", "too many bad messages", 4400)
        if error.close_code is None:
            self._client.send_event(protocol.error_event(error))
            return False
        self._fail(error)
        return True

    # --- To the client

    async def _write(self) -> None:
        try:
            while True:
                item = await self._client.outbox.get()
                if isinstance(item, bytes):
                    await self._websocket.send_bytes(item)
                else:
                    await self._websocket.send_text(item)
        except (WebSocketDisconnect, RuntimeError):
            self._reason = "client_gone"

    async def _watch_overflow(self) -> None:
        await self._client.outbox.overflowed.wait()
        self._fail(protocol.client_too_slow())

    async def _watch_draining(self, draining: asyncio.Event) -> None:
        await draining.wait()
        self._fail(protocol.draining())

    def _fail(self, error: ProtocolError) -> None:
        log.info("call ended", conversation=self.id, code=error.code, reason=str(error))
        self._reason = error.code
        self._close_code = error.close_code or INTERNAL_ERROR
        self._client.send_event(protocol.error_event(error))

    async def _close(self) -> None:
        """The last words, then the close; bounded, whatever the client does."""
        self._client.send_event(event("end", reason=self._reason))
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
            async with asyncio.timeout(CLOSING_SECONDS):
                if self._websocket.client_state is WebSocketState.CONNECTED:
                    for text in self._client.outbox.drain():
                        await self._websocket.send_text(text)
                    await self._websocket.close(self._close_code, self._reason)


def _refusal(group: BaseExceptionGroup[JobLost]) -> ProtocolError:
    lost = group.exceptions[0]
    if isinstance(lost, JobLost) and lost.retry is Retry.NEVER:
        return protocol.unusable_agent(str(lost))
    return protocol.no_capacity(str(lost))
