"""ElevenLabs' stand-in: the socket for many contexts, and speech with times over HTTP."""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from contract.servers.base import Fault
from contract.servers.over_http import (
    GOOD_PIECES,
    PACE,
    STATUS_OF,
    HttpServer,
    Published,
    reset,
    waiting,
)
from contract.servers.voice import speech
from parley.audio import bytes_for, duration_ms
from parley.marks import Mark

CONTEXTS = 5
MESSAGE_MS = 250.0
"""Audio in a message."""

Voice = Callable[[str, int], AsyncGenerator[tuple[bytes, list[Mark]], None]]

_published = Published("elevenlabs")
_NAMES = {401: "invalid_api_key", 403: "missing_permissions", 429: "system_busy", 500: "internal"}


@dataclass(frozen=True)
class Character:
    text: str
    start_ms: float
    end_ms: float


@dataclass(frozen=True)
class Spoken:
    """A message's worth of speech, `start_ms` from the beginning of the text."""

    audio: bytes
    characters: list[Character]
    start_ms: float


class ElevenLabsServer(HttpServer):
    """Speaks with `voice`; `renamed` as the real server does it, with other names of fields."""

    def __init__(self, voice: Voice = speech, *, renamed: bool = False) -> None:
        super().__init__()
        self.voice = voice
        self.renamed = renamed
        self.moved_to: str | None = None
        """Where it sends everybody."""
        self.sockets = 0
        """Sockets opened so far."""
        self.texts: list[str] = []
        """What it was asked to speak."""
        self.lines: list[Line] = []
        """The sockets that are open."""

    def settings(self) -> dict[str, Any]:
        return {"baseUrl": self.base}

    def environment(self) -> dict[str, str]:
        return {"ELEVENLABS_API_KEY": self.key}

    def routes(self) -> list[web.RouteDef]:
        path = "/v1/text-to-speech/{voice}"
        return [
            web.get(f"{path}/multi-stream-input", self._socket),
            web.post(f"{path}/stream/with-timestamps", self._request),
        ]

    def check(self, model: str, value: Any) -> None:
        self.violations += _published.faults_of(model, value)

    def rate(self, request: web.Request) -> int:
        output_format = request.query.get("output_format", "")
        if not output_format.startswith("pcm_"):
            self.violations.append(f"this server speaks PCM only, not {output_format}")
        return int(output_format.removeprefix("pcm_") or 24_000)

    def _refusal(self, request: web.Request, fault: Fault | None) -> web.Response | None:
        if self.moved_to is not None:
            return web.Response(status=307, headers={"Location": self.moved_to + request.path_qs})
        status = STATUS_OF.get(fault) if fault else None
        if request.headers.get("xi-api-key") != self.key:
            status, fault = 401, Fault.UNAUTHORIZED
        if status is None or fault is None:
            return None
        detail = {"status": _NAMES[status], "message": "No."}
        return web.json_response({"detail": detail}, status=status, headers=waiting(fault))

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        self.check("Query", {name: _value(text) for name, text in request.query.items()})
        fault = self.next_fault() if self.fault in STATUS_OF else None
        if (refusal := self._refusal(request, fault)) is not None:
            self.requests += 1
            return refusal
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets += 1
        line = Line(self, request, socket)
        self.lines.append(line)
        try:
            await line.serve()
        finally:
            self.lines.remove(line)
            await line.stop()
        return socket

    async def _request(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        self.check("SpeechQuery", dict(request.query))
        body = await request.json()
        self.check("SpeechRequest", body)
        fault = self.next_fault()
        if (refusal := self._refusal(request, fault)) is not None:
            return refusal
        self.texts.append(body["text"])
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        lines = self._lines_of(body["text"], self.rate(request))
        return await self.send_stream(request, response, lines, fault, b"{not json\n\n")

    async def _lines_of(self, text: str, rate: int) -> AsyncIterator[bytes]:
        async with aclosing(spoken(self.voice, text, rate)) as pieces:
            async for piece in pieces:
                alignment = {
                    "characters": [each.text for each in piece.characters],
                    "character_start_times_seconds": [
                        round((piece.start_ms + each.start_ms) / 1000, 3)
                        for each in piece.characters
                    ],
                    "character_end_times_seconds": [
                        round((piece.start_ms + each.end_ms) / 1000, 3) for each in piece.characters
                    ],
                }
                line = {
                    "audio_base64": base64.b64encode(piece.audio).decode(),
                    "alignment": alignment,
                    "normalized_alignment": alignment,
                }
                self.check("SpeechLine", line)
                yield json.dumps(line).encode() + b"\n"


@dataclass
class Context:
    """One sentence of a socket."""

    id: str
    text: str = ""
    is_flushed: bool = False
    has_spoken: bool = False
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Line:
    """One socket and its contexts."""

    def __init__(
        self, server: ElevenLabsServer, request: web.Request, socket: web.WebSocketResponse
    ) -> None:
        self._server = server
        self._request = request
        self._socket = socket
        self._contexts: dict[str, Context] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def serve(self) -> None:
        async for message in self._socket:
            if message.type is not WSMsgType.TEXT:
                self._server.violations.append(f"a message of type {message.type}")
                continue
            said = json.loads(message.data)
            self._server.check("ClientMessage", said)
            if said.get("close_socket"):
                return
            await self._hear(said)

    async def stop(self) -> None:
        for context in list(self._contexts.values()):
            self._end(context, cancelled=not self._server._is_stopping)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._socket.close()

    async def hang_up(self, code: int = 1000, reason: str = "") -> None:
        """Close the socket: with no reason, as the server does after long inactivity."""
        await self._socket.close(code=code, message=reason.encode())

    async def _hear(self, said: dict[str, Any]) -> None:
        name = said.get("context_id", "default")
        context = self._contexts.get(name)
        if said.get("close_context"):
            if context is None:
                self._server.violations.append("closes a context that is not there")
            else:
                await self._close(context)
            return
        if context is None:
            if len(self._contexts) == CONTEXTS:
                self._server.violations.append("more than five contexts")
                await self._fail("max_active_conversations")
                return
            context = self._contexts[name] = Context(name)
            self._server.requests += 1
            self._server.streams += 1
        elif "voice_settings" in said or "generation_config" in said:
            self._server.violations.append("settings after a context's first message")
        self._take(context, said)

    def _take(self, context: Context, said: dict[str, Any]) -> None:
        text = said.get("text", "")
        if text and not text.endswith(" "):
            self._server.violations.append("text that does not end with a space")
        if context.closing.is_set():
            self._server.violations.append("text for a closed context")
        context.text += text
        if said.get("flush") and not context.is_flushed:
            context.is_flushed = True
            context.task = asyncio.create_task(self._speak(context))
            self._tasks.append(context.task)

    async def _close(self, context: Context) -> None:
        """What was flushed is spoken to its end, unless it is closed before it began, or twice."""
        is_first = not context.closing.is_set()
        context.closing.set()
        if context.has_spoken and is_first:
            return
        self._end(context, cancelled=True)
        if self._server.fault is Fault.LATE_AUDIO:
            return
        if context.task is not None:
            context.task.cancel()
        await self._send_final(context)

    async def _speak(self, context: Context) -> None:
        server = self._server
        text = context.text.strip()
        server.texts.append(text)
        fault = server.next_fault()
        if fault in STATUS_OF:
            await self._fail(_NAMES[STATUS_OF[fault]])
            return
        if fault is Fault.SLOW:
            return
        sent = 0
        rate = server.rate(self._request)
        async with aclosing(spoken(server.voice, text, rate, lead=" ")) as pieces:
            async for piece in pieces:
                if sent == GOOD_PIECES and await self._misbehaves(fault):
                    return
                await self._send_audio(context, piece)
                sent += 1
                await asyncio.sleep(PACE)
        await context.closing.wait()
        self._end(context)
        await self._send_final(context)

    async def _misbehaves(self, fault: Fault | None) -> bool:
        """Whether that was the end of it."""
        if fault is Fault.RESET:
            reset(self._request)
        elif fault is Fault.SILENT_STOP:
            await self._socket.close()
        elif fault is Fault.MALFORMED:
            await self._send("{not json")
        return fault in (Fault.RESET, Fault.SILENT_STOP)

    def _end(self, context: Context, *, cancelled: bool = False) -> None:
        if self._contexts.pop(context.id, None) is not None:
            self._server.streams -= 1
            self._server.cancelled += cancelled

    async def _send_audio(self, context: Context, piece: Spoken) -> None:
        context.has_spoken = True
        alignment = None
        if piece.characters:
            alignment = {
                "chars": [each.text for each in piece.characters],
                "charStartTimesMs": [round(each.start_ms) for each in piece.characters],
                "charsDurationsMs": [
                    round(each.end_ms) - round(each.start_ms) for each in piece.characters
                ],
            }
        message = {
            "audio": base64.b64encode(piece.audio).decode(),
            "alignment": alignment,
            "normalizedAlignment": alignment,
            "contextId": context.id,
        }
        self._server.check("ServerMessage", message)
        if self._server.renamed and alignment:
            alignment["charDurationsMs"] = alignment.pop("charsDurationsMs")
        await self._send_for(message)

    async def _send_final(self, context: Context) -> None:
        message = {"isFinal": True, "contextId": context.id}
        self._server.check("ServerMessage", message)
        await self._send_for(message)

    async def _send_for(self, message: dict[str, Any]) -> None:
        if self._server.renamed:
            # Not published, and seen on the wire.
            message["context_id"] = message.pop("contextId")
            message["is_final"] = message.pop("isFinal", None)
            message["type"] = "final" if message["is_final"] else "audio"
        await self._send(json.dumps(message))

    async def _fail(self, name: str) -> None:
        await self._send(json.dumps({"message": "No.", "error": name, "code": 1008}))
        await self._socket.close(code=1008, message=name.encode())

    async def _send(self, message: str) -> None:
        with suppress(ConnectionError):
            await self._socket.send_str(message)


async def spoken(
    voice: Voice, text: str, rate: int, lead: str = ""
) -> AsyncGenerator[Spoken, None]:
    """The speech of a text in messages; times count from each message's beginning."""
    at, done = 0, 0
    async with aclosing(voice(text, rate)) as chunks:
        async for pcm, marks in chunks:
            base = duration_ms(done, rate)
            until = marks[-1].offset + len(marks[-1].word) if marks else at
            timed = [Character(lead, base, base), *_spelt(text[at:until], at, marks)]
            at, lead, done = until, "", done + len(pcm)
            size = bytes_for(MESSAGE_MS, rate)
            for start in range(0, len(pcm), size):
                audio = pcm[start : start + size]
                begin = base + duration_ms(start, rate)
                end = begin + MESSAGE_MS if start + size < len(pcm) else float("inf")
                inside = [
                    Character(each.text, each.start_ms - begin, each.end_ms - begin)
                    for each in timed
                    if each.text and begin <= each.start_ms < end
                ]
                yield Spoken(audio, inside, begin)


def _spelt(text: str, offset: int, marks: list[Mark]) -> list[Character]:
    """Every character of the text with a time: a word's letters share the word's."""
    times: dict[int, tuple[float, float]] = {}
    for mark in marks:
        each = (mark.end_ms - mark.start_ms) / len(mark.word)
        for index in range(len(mark.word)):
            start = mark.start_ms + index * each
            times[mark.offset + index] = (start, start + each)
    characters, now = [], marks[0].start_ms if marks else 0.0
    for index, character in enumerate(text, offset):
        start, now = times.get(index, (now, now))
        characters.append(Character(character, start, now))
    return characters


def _value(text: str) -> object:
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.isdecimal() else text
