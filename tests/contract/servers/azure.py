"""Azure Speech's stand-in: USP over a websocket, for recognition and for speech.

Left out on purpose: a binary frame that is shorter than its own headers. It kills the process
that the native SDK (1.53) runs in, and a server that has the caller's TLS has no need of that.
"""

import asyncio
import json
import logging
import re
import socket
import struct
from abc import ABC, abstractmethod
from contextlib import suppress
from http import HTTPStatus
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from contract.servers import usp
from contract.servers.azure_turns import STREAM_ID, HearingTurn, silence_of, speak, text_of
from contract.servers.base import RETRY_AFTER, ContractServer, Fault

HEARING = frozenset(
    ["/stt/speech/universal/v2", "/speech/recognition/conversation/cognitiveservices/v1"]
)
SPEAKING = frozenset(["/tts/cognitiveservices/websocket/v1", "/cognitiveservices/websocket/v1"])
"""Where the SDK turns to at an endpoint, or a region, of Azure, and at the host of a container."""
REFUSALS = {
    Fault.UNAUTHORIZED: HTTPStatus.UNAUTHORIZED,
    Fault.FORBIDDEN: HTTPStatus.FORBIDDEN,
    Fault.BUSY: HTTPStatus.TOO_MANY_REQUESTS,
    Fault.BROKEN: HTTPStatus.INTERNAL_SERVER_ERROR,
}
log = logging.getLogger("contract.azure")
log.setLevel(logging.WARNING)  # at DEBUG it would write the key that a client sends
_ID = re.compile(r"[0-9a-fA-F]{32}")


def _validators() -> dict[tuple[str, str], Draft202012Validator]:
    text = (files(__package__) / "schemas" / "azure.json").read_text()
    sides = json.loads(text)
    return {
        (side, path): Draft202012Validator({**schema, "$defs": _shared(sides[side], schema)})
        for side in ("client", "server")
        for path, schema in sides[side].items()
        if path != "$defs"
    }


def _shared(side: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    return {**side.get("$defs", {}), **schema.get("$defs", {})}


VALIDATORS = _validators()


class AzureServer(ContractServer):
    """Azure Speech on loopback."""

    def __init__(self) -> None:
        super().__init__()
        self.answers_commits = True
        """Whether it does what audio.commit asks: Azure need not."""
        self.configured = 0
        """Connections that the client has configured."""
        self.segmentation: list[int | None] = []
        """The segmentation silence (ms) that each recognition asked for."""
        self.ssml: list[str] = []
        """The sentences that it was asked to speak."""
        self.late_audio: list[bytes] = []
        """What it had still to say of sentences that were cancelled, if it is told not to care."""
        self.drawn: dict[ServerConnection, Fault | None] = {}
        self._server: Server | None = None
        self._port = 0

    def settings(self) -> dict[str, Any]:
        """The settings that point the provider here."""
        return {"baseUrl": f"http://127.0.0.1:{self._port}"}

    def environment(self) -> dict[str, str]:
        """The environment with its key."""
        return {"AZURE_SPEECH_KEY": self.key}

    @property
    def connections(self) -> int:
        """The connections that are open."""
        return len(self._server.connections) if self._server is not None else 0

    async def start(self) -> None:
        """Listen."""
        self._server = await serve(
            self._handle,
            "127.0.0.1",
            0,
            process_request=self._admit,
            subprotocols=[usp.SUBPROTOCOL],
            compression=None,
            close_timeout=0.3,
            logger=log,
        )
        self._port = next(iter(self._server.sockets)).getsockname()[1]

    async def stop(self) -> None:
        """Close all."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        self.requests += 1
        fault = self.next_fault()
        if request.headers.get("Ocp-Apim-Subscription-Key") != self.key:
            fault = Fault.UNAUTHORIZED
        url = urlsplit(request.path)
        if fault not in REFUSALS and url.path not in HEARING | SPEAKING:
            return connection.respond(HTTPStatus.NOT_FOUND, "")
        if not _ID.fullmatch(request.headers.get("X-ConnectionId", "")):
            self.violations.append("a connection without X-ConnectionId")
        if fault in REFUSALS:
            response = connection.respond(REFUSALS[fault], f"{self.key} is refused\n")
            if fault is Fault.BUSY:
                response.headers["Retry-After"] = str(RETRY_AFTER)
            return response
        self.drawn[connection] = fault
        return None

    async def _handle(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        speaks = urlsplit(connection.request.path).path in SPEAKING
        talk = _Speaking(self, connection) if speaks else _Hearing(self, connection)
        try:
            async for message in connection:
                try:
                    frame = usp.parse(message)
                except usp.NotUsp as error:
                    self.violations.append(str(error))
                    continue
                await talk.take(frame)
        except ConnectionClosed:
            pass
        finally:
            await talk.leave()


class _Talk(ABC):
    """One connection."""

    def __init__(self, server: AzureServer, connection: ServerConnection) -> None:
        self.server = server
        self.connection = connection
        self.fault: Fault | None = None
        self._configured = False

    async def take(self, frame: usp.Frame) -> None:
        """A message of the client."""
        said = self._checked(frame)
        if frame.path == "speech.config":
            self._configured = True
            self.server.configured += 1
        elif not self._configured:
            self.server.violations.append(f"{frame.path} before speech.config")
        elif not _ID.fullmatch(frame.request_id):
            self.server.violations.append(f"{frame.path} without X-RequestId")
        else:
            await self.do(frame, said)

    @abstractmethod
    async def do(self, frame: usp.Frame, said: Any) -> None:
        """What it asks for."""

    @abstractmethod
    async def leave(self) -> None:
        """The client has gone."""

    def _checked(self, frame: usp.Frame) -> Any:
        if "x-timestamp" not in frame.headers:
            self.server.violations.append(f"{frame.path} without X-Timestamp")
        validator = VALIDATORS.get(("client", frame.path))
        if validator is None or not isinstance(frame.body, str):
            if frame.path not in ("audio", "audio.commit", "ssml"):
                self.server.violations.append(f"{frame.path} is not known")
            return None
        try:
            said = json.loads(frame.body)
        except ValueError:
            self.server.violations.append(f"{frame.path} is no JSON")
            return None
        errors = validator.iter_errors(said)
        self.server.violations += [f"{frame.path}: {error.message}" for error in errors]
        return said

    async def tell(self, request_id: str, path: str, body: dict[str, Any]) -> None:
        """Send a message of the protocol."""
        for error in VALIDATORS["server", path].iter_errors(body):
            self.server.violations.append(f"the server itself: {path}: {error.message}")
            raise AssertionError(error.message)
        await self.connection.send(usp.text(path, request_id, json.dumps(body)))

    async def misbehave(self, request_id: str) -> None:
        """In the middle of a stream."""
        fault, self.fault = self.fault, None
        if fault is Fault.RESET:
            self._reset()
        elif fault is Fault.SILENT_STOP:
            await self.connection.close()
        elif fault is Fault.MALFORMED:
            await self.connection.send(usp.text("speech.hypothesis", request_id, "{not json"))
            await self.connection.send(usp.text("audio.metadata", request_id, '{"Metadata": 5}'))
            await self.connection.send("this is not USP")

    def _reset(self) -> None:
        transport = self.connection.transport
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()


class _Hearing(_Talk):
    """A connection for recognition."""

    _turn: HearingTurn | None = None
    _request_id = ""

    async def do(self, frame: usp.Frame, said: Any) -> None:
        if frame.path == "speech.context":
            await self._begin(frame.request_id, said)
        elif self._turn is None or frame.request_id != self._request_id:
            if frame.path == "audio":
                self.server.violations.append("audio outside of a turn")
        elif self.fault is Fault.SLOW:
            pass
        elif frame.path == "audio":
            if await self._turn.audio(frame):
                await self.leave()
            elif self._turn.hypotheses:
                await self.misbehave(self._request_id)
        elif frame.path == "audio.commit" and self.server.answers_commits:
            token = frame.headers.get("x-client-commit-token", "")
            if not token.isdigit():
                self.server.violations.append("audio.commit without its token")
            await self._turn.commit(token)

    async def _begin(self, request_id: str, context: dict[str, Any]) -> None:
        await self.leave()
        self.fault = self.server.drawn.pop(self.connection, None)
        self._request_id = request_id
        self.server.streams += 1
        if "language" not in context["phraseDetection"]:
            self.server.violations.append("a recognition without a language")
        silence_ms = silence_of(context)
        self.server.segmentation.append(silence_ms)

        async def tell(path: str, body: dict[str, Any]) -> None:
            await self.tell(request_id, path, body)

        self._turn = HearingTurn(context, silence_ms, tell, self.server.violations.append)
        if self.fault is not Fault.SLOW:
            await tell("turn.start", {"context": {"serviceTag": "contract"}})

    async def leave(self) -> None:
        if self._turn is not None:
            self._turn = None
            self.server.streams -= 1


class _Speaking(_Talk):
    """A connection for speech."""

    _formats: frozenset[str] = frozenset()
    _task: asyncio.Task[None] | None = None

    async def do(self, frame: usp.Frame, said: Any) -> None:
        if frame.path == "synthesis.context":
            self._formats = frozenset([frame.request_id])
        elif frame.path == "ssml" and isinstance(frame.body, str):
            if frame.request_id not in self._formats:
                self.server.violations.append("ssml without a synthesis.context")
            if self._task is not None and not self._task.done():
                self.server.violations.append("ssml before the last turn was over")
            self.server.ssml.append(frame.body)
            text = text_of(frame.body, self.server.violations.append)
            drawn = self.server.drawn
            is_first = self.connection in drawn
            self.fault = drawn.pop(self.connection) if is_first else self.server.next_fault()
            if self.fault in REFUSALS:  # too late to refuse the connection
                self._reset()
            else:
                self._task = asyncio.create_task(self._speak(frame.request_id, text))

    async def _speak(self, request_id: str, text: str) -> None:
        late, self.server.late_audio = self.server.late_audio, []
        cares = self.fault is not Fault.LATE_AUDIO
        self.server.streams += 1
        is_over = False

        async def tell(path: str, body: dict[str, Any]) -> None:
            await self.tell(request_id, path, body)

        async def send_audio(pcm: bytes) -> None:
            message = usp.binary("audio", request_id, STREAM_ID, pcm)
            if not cares:
                self.server.late_audio.append(message)
            await self.connection.send(message)
            await self.misbehave(request_id)

        try:
            await tell("turn.start", {"context": {"serviceTag": "contract"}})
            for message in late:
                await self.connection.send(message)
            if self.fault is Fault.SLOW:
                await self.connection.wait_closed()
            await speak(text, tell, send_audio)
            is_over = True
            self.server.late_audio = []
        except ConnectionClosed:
            pass
        finally:
            self.server.streams -= 1
            self.server.cancelled += not is_over

    async def leave(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
