"""A call over the native protocol, as a device makes it: microphone in, loudspeaker out.

    async with connect("ws://127.0.0.1:8080/conversation") as call:
        call.play(speech)
        await call.wait_for("spoken", turn=1, timeout=30)
        await call.end()

A call outlives its connection: when one is lost, another is made and the talk goes on.

Times are seconds of time.monotonic. Audio is int16 at the call's sample rate.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from parley_cli.connection import Connection
from parley_cli.device import Device
from parley_cli.dial import CallRefused, Options, addresses, dial, dial_any
from parley_cli.events import CallEnded, Event, EventLog
from parley_cli.reconnect import Reconnect, others_first, reconnect
from parley_cli.wav import Samples


class Call(EventLog):
    """A call that was taken. Made by `connect`."""

    def __init__(self, found: Sequence[str], options: Options, connection: Connection) -> None:
        super().__init__(connection.ready)
        self.options = options
        self.ready = connection.ready
        """The server's first message."""
        self.device = Device(options)
        self.playback = self.device.playback
        self.voice = self.device.voice
        self.typed: list[float] = []
        """When (s) each typed turn was sent."""
        self.reconnects: list[Reconnect] = []
        """When the connection was lost, and when the server was ready again."""
        self.close_code: int | None = None
        """The code with which the server closed the last connection, once the call is over."""
        self._addresses = found
        self._connection = connection
        self._connected = True
        self._hung_up = False

    @property
    def started_at(self) -> float:
        """The moment (s) of the first sample of both recordings."""
        return self.playback.started_at

    @property
    def connected(self) -> bool:
        """Whether the server is there; while it is not, the call waits for another connection."""
        return self._connected

    @property
    def voice_ended_at(self) -> float | None:
        """When (s) the caller last ran out of speech to say."""
        return self.device.voice_ended_at

    @property
    def caller_audio(self) -> Samples:
        """What the caller said, from `started_at` on."""
        return self.device.recorded

    @property
    def bot_audio(self) -> Samples:
        """What the device played, from `started_at` on."""
        return self.playback.recording

    # --- What the caller does

    def play(self, samples: Samples) -> None:
        """Say this after what is already to be said."""
        self.voice.play(samples)

    def mix(self, samples: Samples) -> None:
        """Say this now, on top of what is being said."""
        self.voice.mix(samples)

    async def text(self, text: str) -> None:
        """Send a typed turn; without a connection, once there is one again."""
        self.typed.append(time.monotonic())
        await self._deliver(type="text", text=text)

    async def interrupt(self) -> None:
        """Ask for silence; without a connection, once there is one again."""
        await self._deliver(type="interrupt")

    async def end(self, timeout: float = 2.0) -> None:
        """Hang up, and wait at most `timeout` s for the server to close."""
        self._hung_up = True
        if not await self._send(type="end"):
            self._end("you hung up")
        await self.until(lambda: self.over, timeout)

    def drop(self) -> None:
        """Break the connection as a network does, without a word."""
        self._connection.drop()

    # --- One connection after another

    async def _run(self) -> None:
        """Keep the call up until it is over, over as many connections as that takes."""
        try:
            async with asyncio.TaskGroup() as tasks:
                device = tasks.create_task(self.device.run(self._wake))
                await self._use_connection()
                while self._resumable and await self._reconnect():
                    await self._use_connection()
                device.cancel()
        finally:
            self.close_code = self._connection.close_code
            self._end(self._connection.why_closed)

    @property
    def _resumable(self) -> bool:
        wanted = self.options.reconnect and not self._hung_up
        return wanted and self._connection.lost and self._connection.resume_token is not None

    async def _use_connection(self) -> None:
        """Hear and be heard over the connection until it is closed."""
        try:
            async with asyncio.TaskGroup() as tasks:
                speaking = tasks.create_task(self._speak())
                async for message in self._connection.messages():
                    if isinstance(message, bytes):
                        self.device.receive(message)
                    else:
                        await self._on_event(message)
                speaking.cancel()
        finally:
            self._connected = False

    async def _on_event(self, event: Event) -> None:
        match event.type:
            case "speaking":
                self.playback.begin(int(event.data["turn"]))
            case "resumed":
                self.playback.begin(int(event.data["turn"]), float(event.data["ms"]))
            case "spoken":
                self.playback.end(int(event.data["turn"]))
            case "clear":
                self.playback.clear()
                await self._report()
        self._add(event)

    async def _speak(self) -> None:
        """Send what the microphone has taken and how far the loudspeaker is, each 20 ms."""
        while True:
            while audio := self.device.uplink.take():
                await self._connection.send(audio)
            if self.device.report_due:
                await self._report()
            await self._news.wait()

    async def _report(self) -> None:
        self.device.report_due = False
        report = self.playback.report()
        if report is not None:
            turn, ms = report
            await self._send(type="playback", turn=turn, ms=round(ms, 1))

    async def _deliver(self, **message: object) -> None:
        """Send now or over the next connection; in vain once the call is over."""
        while not self.over and not await self._send(**message):
            await self._news.wait()

    async def _send(self, **message: object) -> bool:
        return self._connected and await self._connection.send(json.dumps(message))

    # --- From one connection to the next

    async def _reconnect(self) -> bool:
        """Go on over another connection; False where that was refused, and the call is over."""
        lost, lost_at = self._connection, time.monotonic()
        self._add(Event(lost_at, {"type": "connection_lost", "code": lost.close_code}))
        seconds = self.options.reconnect_seconds or lost.resume_seconds
        await asyncio.sleep(min(lost.retry_after, seconds))
        try:
            self._connection = await reconnect(
                others_first(self._addresses, lost.address),
                partial(self._resume, lost),
                seconds,
            )
        except CallRefused as refusal:
            error = {"type": "error", "code": refusal.code, "message": str(refusal), "fatal": True}
            self._add(Event(time.monotonic(), error))
            self._end(str(refusal))
            return False
        ready = self._connection.ready
        self.device.go_on(float(ready.data["audio_from_ms"]))
        self._connected = True
        self.reconnects.append(Reconnect(lost_at, ready.at))
        self._add(ready)
        return True

    async def _resume(self, lost: Connection, address: str, timeout: float) -> Connection:
        def query() -> str:
            position = self.device.hold()
            return self.options.query({"resume": str(lost.resume_token), **position})

        try:
            connection = await dial(address, query, timeout)
            if not connection.ready.data.get("resumed"):
                await connection.close()
                raise CallRefused("not_resumable", "the server does not know the call any more")
        except BaseException:
            self.device.release()
            raise
        return connection


@asynccontextmanager
async def connect(
    url: str | Sequence[str], options: Options | None = None, timeout: float = 10.0
) -> AsyncIterator[Call]:
    """Call `url` (ws:// or wss://). Raises CallRefused; hangs up on the way out.

    Several addresses, in a sequence or with commas between them, are tried in turn, now and
    whenever the connection is lost.
    """
    options = options or Options()
    found = addresses(url)
    call = Call(found, options, await dial_any(found, options.query(), timeout))
    running = asyncio.create_task(call._run())
    try:
        yield call
    finally:
        running.cancel()
        await asyncio.wait([running])
        await call._connection.close()
    if not running.cancelled():
        running.result()


__all__ = ["Call", "CallEnded", "CallRefused", "Event", "Options", "connect"]
