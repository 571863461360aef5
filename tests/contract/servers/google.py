"""Google Cloud's Speech v2 and Text-to-Speech v1 and v1beta1, on loopback.

The messages are the real ones, of the wheels; what the proto files only say in words is checked
here. gRPC cannot break a connection off, so a relay in front of the server does.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import grpc
from google.cloud.speech_v2.types import cloud_speech as v2
from google.cloud.texttospeech_v1.types import cloud_tts as tts
from google.cloud.texttospeech_v1beta1.types import cloud_tts as beta
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.unknown_fields import UnknownFieldSet
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from contract.servers.base import RETRY_AFTER, ContractServer, Fault
from contract.servers.google_hearing import Hearing
from contract.servers.google_speaking import spoken, stream_spoken

PROJECT = "contract"
_REFUSALS = {
    Fault.UNAUTHORIZED: grpc.StatusCode.UNAUTHENTICATED,
    Fault.FORBIDDEN: grpc.StatusCode.PERMISSION_DENIED,
    Fault.BROKEN: grpc.StatusCode.INTERNAL,
}


class GoogleServer(ContractServer):
    """Speech.StreamingRecognize, TextToSpeech.StreamingSynthesize and .SynthesizeSpeech."""

    def __init__(self) -> None:
        super().__init__()
        self.idle_seconds = 10.0
        """A stream without audio for so long is aborted."""
        self.stream_seconds = 305.0
        """No stream may have more audio than this."""
        self.opened: list[Any] = []
        """The first message of each call."""
        self._server: Any = None
        self._relay = Relay()

    def settings(self) -> dict[str, Any]:
        return {"baseUrl": f"http://127.0.0.1:{self._relay.port}"}

    def environment(self) -> dict[str, str]:
        return {"GOOGLE_CLOUD_API_KEY": self.key, "GOOGLE_CLOUD_PROJECT": PROJECT}

    async def start(self) -> None:
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers(tuple(self._handlers()))
        port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()
        await self._relay.start(port)

    async def stop(self) -> None:
        await self._relay.stop()
        if self._server is not None:
            await self._server.stop(0)

    def _handlers(self) -> list[Any]:
        recognize = grpc.stream_stream_rpc_method_handler(
            self._recognize,
            v2.StreamingRecognizeRequest.deserialize,
            _raw(v2.StreamingRecognizeResponse),
        )
        streaming = grpc.stream_stream_rpc_method_handler(
            self._stream_speech,
            tts.StreamingSynthesizeRequest.deserialize,
            _raw(tts.StreamingSynthesizeResponse),
        )
        unary = grpc.unary_unary_rpc_method_handler(
            self._speak,
            beta.SynthesizeSpeechRequest.deserialize,
            _raw(beta.SynthesizeSpeechResponse),
        )
        return [
            grpc.method_handlers_generic_handler(service, methods)
            for service, methods in {
                "google.cloud.speech.v2.Speech": {"StreamingRecognize": recognize},
                "google.cloud.texttospeech.v1.TextToSpeech": {"StreamingSynthesize": streaming},
                "google.cloud.texttospeech.v1beta1.TextToSpeech": {"SynthesizeSpeech": unary},
            }.items()
        ]

    # --- The three methods

    async def _recognize(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        async with self._call(context) as fault:
            hearing = Hearing(self, requests)
            async for response in self._misbehaving(fault, context, hearing.responses(context)):
                yield response

    async def _stream_speech(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        async with self._call(context) as fault:
            speech = stream_spoken(self, requests, context)
            async for response in self._misbehaving(fault, context, speech):
                yield response

    async def _speak(self, request: Any, context: Any) -> Any:
        async with self._call(context) as fault:
            self.check(request)
            if fault is Fault.SLOW:
                await asyncio.Event().wait()
            response = await spoken(self, request, context)
            match fault:
                case Fault.RESET:
                    self._relay.reset(context.peer())
                    await asyncio.Event().wait()
                case Fault.SILENT_STOP:
                    self._relay.close(context.peer())
                    await asyncio.Event().wait()
                case Fault.MALFORMED:
                    return b"\xff\xff\xff"
            return response

    @asynccontextmanager
    async def _call(self, context: Any) -> AsyncIterator[Fault | None]:
        self.requests += 1
        fault = self.next_fault()
        await self._admit(fault, context)
        self.streams += 1
        try:
            yield fault
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            raise
        finally:
            self.streams -= 1

    async def _admit(self, fault: Fault | None, context: Any) -> None:
        if fault is Fault.BUSY:
            retry = RetryInfo()
            retry.retry_delay.FromTimedelta(timedelta(seconds=RETRY_AFTER))
            detail = AnyMessage()
            detail.Pack(retry)
            status = Status(code=8, message="Quota exceeded", details=[detail])
            trailing = (("grpc-status-details-bin", status.SerializeToString()),)
            code = grpc.StatusCode.RESOURCE_EXHAUSTED
            await context.abort(code, "Quota exceeded", trailing)
        if fault in _REFUSALS:
            # The worst case: an error that quotes the key.
            await context.abort(_REFUSALS[fault], f"refused: {self.key}")
        keys = [value for name, value in context.invocation_metadata() if name == "x-goog-api-key"]
        if keys != [self.key]:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "no valid key")

    async def _misbehaving(
        self, fault: Fault | None, context: Any, responses: AsyncIterator[Any]
    ) -> AsyncIterator[Any]:
        """In the middle of the stream: after the first response."""
        if fault is Fault.SLOW:
            await asyncio.Event().wait()
        async for response in responses:
            self.check(response)
            yield response
            match fault:
                case Fault.RESET:
                    self._relay.reset(context.peer())
                    await asyncio.Event().wait()
                case Fault.SILENT_STOP:
                    self._relay.close(context.peer())
                    await asyncio.Event().wait()
                case Fault.MALFORMED:
                    fault = None
                    yield b"\xff\xff\xff"

    def check(self, message: Any) -> None:
        """A field that the published messages do not have is a violation."""
        if len(UnknownFieldSet(type(message).pb(message))):
            self.violations.append(f"unknown fields in {type(message).__name__}")

    async def refuse(self, context: Any, why: str) -> None:
        """What the client sent is not allowed."""
        self.violations.append(why)
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, why)


def _raw(kind: Any) -> Callable[[Any], bytes]:
    def serialize(message: Any) -> bytes:
        return message if isinstance(message, bytes) else bytes(kind.serialize(message))

    return serialize


class Relay:
    """Passes on what comes on a port of its own; can break a connection off."""

    def __init__(self) -> None:
        self.port = 0
        self._target = 0
        self._server: asyncio.Server | None = None
        self._clients: dict[int, asyncio.StreamWriter] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, target: int) -> None:
        """Pass on what comes to `target`."""
        self._target = target
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Pass on no more."""
        if self._server is not None:
            self._server.close()
        for writer in self._clients.values():
            writer.transport.abort()
        await asyncio.gather(*self._tasks)

    def close(self, peer: str) -> None:
        """End the connection that the server knows as `peer`: there will be no status of a call."""
        if (writer := self._client(peer)) is not None:
            writer.close()

    def reset(self, peer: str) -> None:
        """End it with a TCP RST."""
        writer = self._client(peer)
        if writer is not None:
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    def _client(self, peer: str) -> asyncio.StreamWriter | None:
        return self._clients.get(int(peer.rsplit(":", 1)[1]))

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._target)
        place = inner_writer.get_extra_info("sockname")[1]
        self._clients[place] = writer
        ways = [
            asyncio.create_task(_pump(reader, inner_writer)),
            asyncio.create_task(_pump(inner_reader, writer)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for each in (inner_writer, writer):
            each.transport.abort()
        await asyncio.gather(*ways)
        del self._clients[place]
        self._tasks.discard(task)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
