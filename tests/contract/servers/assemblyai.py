"""AssemblyAI's streaming API v3, on loopback: its real wire protocol, and real ears behind it."""

import asyncio
import json
import logging
import socket
import struct
import time
import uuid
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jsonschema
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from contract.servers.base import RETRY_AFTER, ContractServer, Fault
from contract.servers.ear import Ear, Result, Started, Word
from parley.audio import HEARING_RATE, duration_ms

_SCHEMAS = json.loads(Path(__file__).with_name("schemas").joinpath("assemblyai.json").read_text())
_REFUSALS = {
    Fault.UNAUTHORIZED: 401,
    Fault.FORBIDDEN: 403,
    Fault.BUSY: 429,
    Fault.BROKEN: 500,
}
_PRO = ("universal-3-6-pro", "universal-3-6", "universal-3-5-pro", "u3-rt-pro")
_SHORTEST_MS, _LONGEST_MS = 50.0, 1_000.0
_EAR_SILENCE_MS = 300.0
"""The ear needs more silence than the real one, which makes do with 100 ms."""
_SLICE_BYTES = 3_200

_log = logging.getLogger("contract.assemblyai")
_log.setLevel(logging.WARNING)  # else the key is in the log, and a client that leaks it is not seen


class AssemblyAIServer(ContractServer):
    """Speaks `/v3/ws`: Begin, Turn, SpeechStarted, Termination, Error."""

    def __init__(self) -> None:
        super().__init__()
        self.sessions: list[dict[str, Any]] = []
        """The parameters of each session, as it was asked for."""
        self.audio_ms: list[float] = []
        """How much audio each session got."""
        self.messages: list[dict[str, Any]] = []
        """What clients said but audio."""
        self._server: Server | None = None
        self._faults: dict[int, Fault | None] = {}

    def settings(self) -> dict[str, Any]:
        assert self._server is not None
        port = next(iter(self._server.sockets)).getsockname()[1]
        return {"baseUrl": f"ws://127.0.0.1:{port}"}

    def environment(self) -> dict[str, str]:
        return {"ASSEMBLYAI_API_KEY": self.key}

    async def start(self) -> None:
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            0,
            process_request=self._admit,
            max_queue=None,  # else a full queue hides that the client has gone
            close_timeout=0.3,
            logger=_log,
        )

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            for connection in list(self._server.connections):
                connection.transport.abort()
            await self._server.wait_closed()

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        self.requests += 1
        fault = self.next_fault()
        status = _REFUSALS.get(fault) if fault is not None else None
        if status is None and request.headers.get("Authorization") != self.key:
            status = 401
        if status is None and urlsplit(request.path).path != "/v3/ws":
            status = 404
        if status is None:
            self._faults[id(connection)] = fault
            return None
        # The worst case: an error that quotes the key.
        response = connection.respond(HTTPStatus(status), f"refused: {self.key}\n")
        if status == 429:
            response.headers["Retry-After"] = str(RETRY_AFTER)
        return response

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        session = _Session(self, connection, self._faults.pop(id(connection), None))
        self.streams += 1
        serving = asyncio.create_task(session.run(connection.request.path))
        left = asyncio.create_task(connection.wait_closed())
        try:
            await asyncio.wait({serving, left}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.streams -= 1
            if session.is_left or not serving.done():
                self.cancelled += 1
            for task in (serving, left):
                task.cancel()
            await asyncio.gather(serving, left, return_exceptions=True)
            self.audio_ms.append(session.audio_ms)

    def valid(self, of: str, value: Any) -> bool:
        """Whether a value is what the published schema says; if not, it is a violation."""
        schema = {"$ref": f"#/$defs/{of}", "$defs": _SCHEMAS["$defs"]}
        errors = list(jsonschema.Draft202012Validator(schema).iter_errors(value))
        self.violations += [f"{of}: {error.message}" for error in errors]
        return not errors


class _Refused(Exception):
    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code


class _Session:
    """One connection."""

    def __init__(
        self, server: AssemblyAIServer, connection: ServerConnection, fault: Fault | None
    ) -> None:
        self.is_left = False
        self.audio_ms = 0.0
        self._server = server
        self._connection = connection
        self._fault = fault
        self._began = time.monotonic()
        self._events: list[Started | Result] = []
        self._ear = Ear(self._events.append, _EAR_SILENCE_MS)
        self._order = 0
        self._turn: list[Word] = []
        """Words of the turn that is open, of the utterances in it that are over."""
        self._silent_from_ms: float | None = None

    async def run(self, path: str) -> None:
        try:
            self._parameters = self._understood(path)
            await self._hear()
        except _Refused as refused:
            error = {"type": "Error", "error_code": refused.code, "error": str(refused)}
            await self._send(error)
            await self._connection.close(refused.code, str(refused))
        except ConnectionClosed:
            self.is_left = True

    def _understood(self, path: str) -> dict[str, Any]:
        parameters: dict[str, Any] = {}
        for name, value in parse_qsl(urlsplit(path).query):
            try:
                parameters[name] = json.loads(value)
            except json.JSONDecodeError:
                parameters[name] = value
        self._server.sessions.append(parameters)
        if not self._server.valid("Parameters", parameters):
            raise _Refused(3006, "Invalid parameters")
        return parameters

    async def _hear(self) -> None:
        if self._fault is Fault.SLOW:
            await self._connection.wait_closed()
            self.is_left = True
            return
        begin = {"type": "Begin", "id": str(uuid.uuid4()), "expires_at": int(time.time()) + 10_800}
        await self._send(begin)
        async for message in self._connection:
            if isinstance(message, bytes):
                await self._audio(message)
            elif await self._message(message):
                return
        self.is_left = True

    async def _audio(self, pcm: bytes) -> None:
        length = duration_ms(len(pcm), HEARING_RATE)
        self.audio_ms += length
        if not _SHORTEST_MS <= length <= _LONGEST_MS:
            self._server.violations.append(f"a chunk of {length:g} ms")
            raise _Refused(3007, f"Input Duration Violation: {length:g} ms")
        for begin in range(0, len(pcm), _SLICE_BYTES):
            await self._ear.push(pcm[begin : begin + _SLICE_BYTES])
            await self._tell()

    async def _message(self, text: str) -> bool:
        """Do what the client says; whether the session is over then."""
        try:
            message = json.loads(text)
        except json.JSONDecodeError:
            message = text
        if not self._server.valid("Client", message):
            raise _Refused(3006, "Invalid Message")
        self._server.messages.append(message)
        if message["type"] == "ForceEndpoint":
            await self._force()
        elif message["type"] == "Terminate":
            self.is_left = True
            seconds = int(time.monotonic() - self._began)
            ended = {"type": "Termination", "audio_duration_seconds": int(self.audio_ms / 1000)}
            await self._send({**ended, "session_duration_seconds": seconds})
            await self._connection.close(1000)
            return True
        return False

    async def _force(self) -> None:
        result = await self._ear.finalize()
        await self._tell()
        self._turn += result.words
        if self._turn:
            await self._end_turn()

    async def _tell(self) -> None:
        events, self._events[:] = self._events[:], []
        for event in events:
            match event:
                case Started(at_ms=at_ms):
                    self._silent_from_ms = None
                    if self._is_pro:
                        await self._send({"type": "SpeechStarted", "timestamp": int(at_ms)})
                case Result(is_final=False, words=words):
                    await self._send_turn(self._turn + words)
                case Result(words=words, end_ms=end_ms):
                    self._turn += words
                    self._silent_from_ms = end_ms
                    await self._pause()
        longest = self._parameters.get("max_turn_silence", 1_280)
        if self._silent_from_ms is not None and self.audio_ms - self._silent_from_ms >= longest:
            await self._end_turn()

    async def _pause(self) -> None:
        """Silence: the turn is over where its words say so."""
        if self._turn and self._turn[-1].text.endswith((".", "?", "!")):
            await self._end_turn()
        elif self._turn:
            await self._send_turn(self._turn)

    async def _end_turn(self) -> None:
        self._silent_from_ms = None
        words, self._turn = self._turn, []
        if words and self._is_pro:
            await self._send_turn(words, ended=True, formatted=True)
        elif words:
            await self._send_turn(words, ended=True)
            if self._parameters.get("format_turns", False):
                await self._send_turn(words, ended=True, formatted=True)
        self._order += bool(words)

    @property
    def _is_pro(self) -> bool:
        return self._parameters["speech_model"] in _PRO

    async def _send_turn(
        self, words: list[Word], ended: bool = False, formatted: bool = False
    ) -> None:
        texts = [word.text if self._is_pro or formatted else _plain(word.text) for word in words]
        await self._send(
            {
                "type": "Turn",
                "turn_order": self._order,
                "turn_is_formatted": formatted,
                "end_of_turn": ended,
                "transcript": " ".join(texts) if ended or self._is_pro else " ".join(texts[:-1]),
                "utterance": " ".join(texts) if ended else "",
                "end_of_turn_confidence": 1.0 if ended else 0.0,
                "words": [
                    {
                        "text": text,
                        "start": int(word.start_ms),
                        "end": int(word.end_ms),
                        "confidence": word.confidence,
                        "word_is_final": ended or (not self._is_pro and word is not words[-1]),
                    }
                    for text, word in zip(texts, words, strict=True)
                ],
            }
        )
        await self._misbehave()

    async def _misbehave(self) -> None:
        """In the middle of the stream: after the first words."""
        fault, self._fault = self._fault, None
        match fault:
            case Fault.RESET:
                reset(self._connection)
                raise ConnectionError
            case Fault.SILENT_STOP:
                await self._connection.close(1000)
                raise ConnectionError
            case Fault.MALFORMED:
                # Of the right type, but not of the schema; and not JSON at all.
                await self._connection.send('{"type": "Turn", "words": "none"}')
                await self._connection.send("{oops")

    async def _send(self, message: dict[str, Any]) -> None:
        assert self._server.valid("Server", message), self._server.violations
        await self._connection.send(json.dumps(message))


def reset(connection: ServerConnection) -> None:
    """End the connection with a TCP RST."""
    raw = connection.transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.transport.abort()


def _plain(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum() or letter == "'")
