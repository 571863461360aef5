"""Deepgram's stand-in: /v1/listen (Nova) and /v2/listen (Flux), checked by its AsyncAPI.

v1: results tile the time, empty ones in silence too; Finalize is answered only where 100 ms or
more are left to flush. v2: a turn ends after `TURN_END_MS` of silent audio, or when it is forced
to; audio that stops ends nothing. Both hang up (NET-0001) after `hang_up_seconds` without a
message.
"""

import asyncio
import json
import socket
import struct
from typing import Any

from aiohttp import WSMsgType, web
from multidict import MultiMapping

from contract.servers.base import RETRY_AFTER, ContractServer, Fault
from contract.servers.deepgram_listening import REQUEST_ID, FluxListening, Listening, NovaListening
from contract.servers.deepgram_schema import violations

STATUSES = {
    Fault.UNAUTHORIZED: (401, "INVALID_AUTH"),
    Fault.FORBIDDEN: (403, "INSUFFICIENT_PERMISSIONS"),
    Fault.BUSY: (429, "TOO_MANY_REQUESTS"),
    Fault.BROKEN: (500, "INTERNAL_SERVER_ERROR"),
}
NOT_THE_PROTOCOL = (
    "{",
    '{"type": "Foo"}',
    '{"type": "Results", "channel": {"alternatives": 7}}',
    '{"type": "TurnInfo", "event": "EndOfTurn"}',
)
"""What a MALFORMED stream brings: no JSON, an unknown message, and ones that lack things."""
_LINGER = struct.pack("ii", 1, 0)


class DeepgramServer(ContractServer):
    """Speaks both versions of the streaming API, on one port."""

    def __init__(self) -> None:
        super().__init__()
        self.hang_up_seconds = 10.0
        """Without a message for so long, a stream is closed."""
        self.queries: list[dict[str, Any]] = []
        """What each connection asked for."""
        self.received: list[str] = []
        """The types of the text messages that came."""
        self._port = 0
        self._runner: web.AppRunner | None = None

    def settings(self) -> dict[str, Any]:
        return {"baseUrl": f"ws://127.0.0.1:{self._port}"}

    def environment(self) -> dict[str, str]:
        return {"DEEPGRAM_API_KEY": self.key}

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/v1/listen", self._listen)
        app.router.add_get("/v2/listen", self._listen)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    # --- A connection

    async def _listen(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        version = request.path[1:3]
        query = _query(request.query)
        self.queries.append(query)
        self.violations += violations(version, "query", query)
        fault = self.next_fault()
        if refusal := self._refusal(request, fault):
            return refusal
        listener = web.WebSocketResponse(autoclose=False)
        await listener.prepare(request)
        self.streams += 1
        try:
            await _Stream(self, version, query, listener, request, fault).run()
        finally:
            self.streams -= 1
        return listener

    def _refusal(self, request: web.Request, fault: Fault | None) -> web.Response | None:
        if request.headers.get("Authorization") != f"Token {self.key}":
            fault = Fault.UNAUTHORIZED
        if fault not in STATUSES:
            return None
        status, code = STATUSES[fault]
        # As careless as can be: a client that passes this on gives the key away.
        said = f"{code}: {request.headers.get('Authorization')}"
        headers = {"dg-error": said, "dg-request-id": REQUEST_ID}
        if fault is Fault.BUSY:
            headers["Retry-After"] = str(RETRY_AFTER)
        body = {"err_code": code, "err_msg": said, "request_id": REQUEST_ID}
        return web.json_response(body, status=status, headers=headers)


def _is_ours(error: BaseException | None) -> bool:
    """Whether the server itself is at fault."""
    return isinstance(error, Exception) and not isinstance(error, ConnectionError)


def _query(given: MultiMapping[str]) -> dict[str, Any]:
    """Parameters that come once as text, others as a list."""
    many = {name: given.getall(name) for name in given}
    return {name: one[0] if len(one) == 1 else one for name, one in many.items()}


class _Stream:
    """One connection: a reader, and a listener that works through what was read, in order."""

    def __init__(
        self,
        server: DeepgramServer,
        version: str,
        query: dict[str, Any],
        ws: web.WebSocketResponse,
        request: web.Request,
        fault: Fault | None,
    ) -> None:
        self._server = server
        self._version = version
        self._ws = ws
        self._request = request
        self._fault = fault
        self._received: asyncio.Queue[bytes | str] = asyncio.Queue()
        self._outbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        kind = NovaListening if version == "v1" else FluxListening
        self._listening: Listening = kind(query, self._outbox.put_nowait)
        self._words_sent = 0
        self._closed_by_us = False

    async def run(self) -> None:
        tasks = [asyncio.create_task(self._work())]
        if self._fault is not Fault.SLOW:
            tasks.append(asyncio.create_task(self._send()))
        reading = asyncio.create_task(self._read())
        try:
            await asyncio.wait([*tasks, reading], return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not self._closed_by_us and not self._listening.has_ended:
                self._server.cancelled += 1
            for task in (*tasks, reading):
                task.cancel()
            done = await asyncio.gather(*tasks, reading, return_exceptions=True)
            self._server.violations += [repr(one) for one in done if _is_ours(one)]

    async def _read(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._server.hang_up_seconds):
                    message = await self._ws.receive()
            except TimeoutError:
                await self._close(1011, b"NET-0001")
                return
            match message.type:
                case WSMsgType.BINARY | WSMsgType.TEXT:
                    self._received.put_nowait(message.data)
                case _:
                    return

    async def _work(self) -> None:
        await self._listening.begin()
        while True:
            data = await self._received.get()
            if isinstance(data, str):
                await self._obey(data)
            elif data:
                if len(data) % 2:
                    self._server.violations.append("half a sample")
                await self._listening.hear(data)
            else:
                self._server.violations.append("empty audio, which closes the stream")
                await self._listening.close()
            if self._listening.has_ended:
                if self._fault is not Fault.SLOW:
                    await self._outbox.join()
                await self._close(1000, b"")
                return

    async def _obey(self, text: str) -> None:
        message = json.loads(text)
        kind = str(message.get("type"))
        self._server.received.append(kind)
        self._server.violations += violations(self._version, "client", message)
        await self._listening.obey(kind)

    async def _send(self) -> None:
        while True:
            message = await self._outbox.get()
            wrong = violations(self._version, "server", message)
            assert not wrong, f"the server's own: {wrong}"
            await self._ws.send_str(json.dumps(message))
            self._outbox.task_done()
            has_words = '"transcript": ""' not in (sent := json.dumps(message))
            if has_words and '"transcript"' in sent:
                self._words_sent += 1
                if self._words_sent == 2 and await self._misbehave():
                    return

    async def _misbehave(self) -> bool:
        """Do what was demanded in the middle of the stream; whether the stream is over."""
        match self._fault:
            case Fault.RESET:
                self._closed_by_us = True
                transport = self._request.transport
                assert transport is not None
                raw: socket.socket = transport.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
                transport.abort()
                return True
            case Fault.SILENT_STOP:
                await self._close(1000, b"")
                return True
            case Fault.MALFORMED:
                for text in NOT_THE_PROTOCOL:
                    await self._ws.send_str(text)
        return False

    async def _close(self, code: int, reason: bytes) -> None:
        self._closed_by_us = True
        await self._ws.close(code=code, message=reason)
