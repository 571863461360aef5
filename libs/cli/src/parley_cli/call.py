"""A call over the native protocol, as a device makes it: microphone in, loudspeaker out.

    async with connect("ws://127.0.0.1:8080/conversation") as call:
        call.play(speech)
        await call.wait_for("spoken", turn=1, timeout=30)
        await call.end()

Times are seconds of time.monotonic. Audio is int16 at the call's sample rate.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from parley.audio import mulaw_decode, mulaw_encode
from parley_cli.caller import CallerVoice
from parley_cli.dial import CallRefused, Event, Options, open_socket, wait_ready
from parley_cli.errors import Failure
from parley_cli.playback import Playback
from parley_cli.wav import Samples

FRAME_MS = 20
REPORT_EVERY_FRAMES = 10
"""Playback is reported each 200 ms while something plays."""


class CallEnded(Failure):
    """The call was over before what was waited for came."""


class Call:
    """A call that was taken. Made by `connect`."""

    def __init__(self, socket: ClientConnection, options: Options, ready: Event) -> None:
        self.options = options
        self.ready = ready
        self.events: list[Event] = [ready]
        """All that the server said, in order."""
        self.typed: list[float] = []
        """When (s) each typed turn was sent."""
        self.playback = Playback(
            options.sample_rate, time.monotonic, options.jitter_ms, options.record
        )
        self.voice = CallerVoice()
        self.voice_ended_at: float | None = None
        """When (s) the caller last ran out of speech to say."""
        self.close_code: int | None = None
        """The code with which the server closed the connection, once it has."""
        self.speaker: Callable[[Samples], None] | None = None
        """Gets what is played, as it is played."""
        self._socket = socket
        self._caller: list[Samples] = []
        self._over = False
        self._news = asyncio.Event()

    @property
    def started_at(self) -> float:
        """The moment (s) of the first sample of both recordings."""
        return self.playback.started_at

    @property
    def over(self) -> bool:
        """Whether the connection is closed."""
        return self._over

    @property
    def caller_audio(self) -> Samples:
        """What the caller said, from `started_at` on."""
        return np.concatenate(self._caller) if self._caller else np.zeros(0, np.int16)

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
        """Send a typed turn."""
        self.typed.append(time.monotonic())
        await self._send(type="text", text=text)

    async def interrupt(self) -> None:
        """Ask for silence."""
        await self._send(type="interrupt")

    async def end(self, timeout: float = 2.0) -> None:
        """Hang up, and wait at most `timeout` s for the server to close."""
        await self._send(type="end")
        await self.until(lambda: self._over, timeout)

    # --- What the caller waits for

    async def until(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait until the condition holds; it is tried at each event and each 20 ms.

        False after `timeout` s. Raises CallEnded if the call is over before.
        """
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                return False
            await self.next_change()
        return True

    async def next_change(self) -> None:
        """Wait for the next event or the next 20 ms. Raises CallEnded if the call is over."""
        if self._over:
            raise CallEnded(f"the call is over: {self._reason()}")
        await self._news.wait()

    async def wait_for(
        self, kind: str, *, timeout: float = 10.0, since: int = 0, **fields: object
    ) -> Event:
        """The first event of that kind (`type`) with those fields, from `events[since]` on.

        Raises TimeoutError after `timeout` s, CallEnded if the call is over before.
        """
        found: list[Event] = []
        seen = since

        def came() -> bool:
            nonlocal seen
            for event in self.events[seen:]:
                seen += 1
                if event.type == kind and fields.items() <= event.data.items():
                    found.append(event)
                    return True
            return False

        if not await self.until(came, timeout):
            raise TimeoutError(f"no {kind} {fields or ''} within {timeout:g} s")
        return found[0]

    async def follow(self) -> AsyncIterator[Event]:
        """All events, from the first to the end of the call, as they come."""
        seen = 0
        while True:
            for event in self.events[seen:]:
                seen += 1
                yield event
            if self._over and seen == len(self.events):
                return
            await self.next_change()

    # --- The device

    async def _run(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except ConnectionClosed as closed:
            self.close_code = closed.rcvd.code if closed.rcvd else None
        finally:
            self._over = True
            self._wake()

    async def _listen(self) -> None:
        mulaw = self.options.encoding == "mulaw"
        while True:
            message = await self._socket.recv()
            if isinstance(message, bytes):
                pcm = mulaw_decode(message) if mulaw else message
                self.playback.push(np.frombuffer(pcm, "<i2"))
            else:
                await self._on_event(Event(time.monotonic(), json.loads(message)))

    async def _on_event(self, event: Event) -> None:
        self.events.append(event)
        if event.type == "speaking":
            self.playback.begin(int(event.data["turn"]))
        elif event.type == "clear":
            self.playback.clear()
            await self._report()
        self._wake()

    async def _speak(self) -> None:
        """Each 20 ms of absolute time: a frame out, and the loudspeaker on by as much.

        A frame is sent when its last sample would have been recorded.
        """
        frame = self.options.sample_rate * FRAME_MS // 1000
        was_playing, number = False, 0
        while True:
            number += 1
            due = self.started_at + number * FRAME_MS / 1000
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await self._socket.send(self._next_frame(frame))
            played = self.playback.advance()
            if self.speaker is not None:
                self.speaker(played)
            playing = self.playback.playing
            if (playing and number % REPORT_EVERY_FRAMES == 0) or (was_playing and not playing):
                await self._report()
            was_playing = playing
            self._wake()

    def _next_frame(self, size: int) -> bytes:
        speaking = self.voice.pending > 0
        samples = self.voice.take(size)
        if speaking and not self.voice.pending:
            self.voice_ended_at = time.monotonic()
        if self.options.record:
            self._caller.append(samples)
        pcm = samples.astype("<i2").tobytes()
        return mulaw_encode(pcm) if self.options.encoding == "mulaw" else pcm

    async def _report(self) -> None:
        report = self.playback.report()
        if report is not None:
            turn, ms = report
            await self._send(type="playback", turn=turn, ms=round(ms, 1))

    async def _send(self, **message: object) -> None:
        try:
            await self._socket.send(json.dumps(message))
        except ConnectionClosed:
            if not self._over:
                self._over = True
                self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _reason(self) -> str:
        for event in reversed(self.events):
            if event.type == "error" and event.data.get("fatal"):
                return str(event.data.get("message"))
            if event.type == "end":
                return str(event.data.get("reason"))
        return f"the server closed the connection ({self.close_code})"


@asynccontextmanager
async def connect(
    url: str, options: Options | None = None, timeout: float = 10.0
) -> AsyncIterator[Call]:
    """Call `url` (ws:// or wss://). Raises CallRefused; hangs up on the way out."""
    options = options or Options()
    socket = await open_socket(f"{url}?{options.query()}", timeout)
    async with socket:
        call = Call(socket, options, await wait_ready(socket, timeout))
        tasks = [asyncio.create_task(call._run(work)) for work in (call._listen(), call._speak())]
        try:
            yield call
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result


__all__ = ["Call", "CallEnded", "CallRefused", "Event", "Options", "connect"]
