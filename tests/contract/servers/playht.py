"""A stand-in for Play.ht: an address with a token, and speech over HTTP."""

import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from contract.servers.over_http import STATUS_OF, HttpServer, Published, waiting
from contract.servers.voice import speech
from parley.audio import bytes_for
from parley.marks import Mark

ENGINES = ("Play3.0-mini", "PlayDialog", "PlayDialogMultilingual", "PlayDialogArabic")
CHUNK_MS = 250.0

Voice = Callable[[str, int], AsyncGenerator[tuple[bytes, list[Mark]], None]]

_published = Published("playht")


class PlayHTServer(HttpServer):
    """`sdk-auth`, and the address that it gives."""

    def __init__(self, voice: Voice = speech) -> None:
        super().__init__()
        self.voice = voice
        self.user = "contract-user"
        self.tokens: set[str] = set()
        """The tokens that are good."""
        self.token_lasts = timedelta(hours=1)
        self.addresses_given = 0
        self.asked: list[dict[str, Any]] = []
        """The requests for speech."""

    def settings(self) -> dict[str, Any]:
        return {"baseUrl": f"{self.base}/api/v4"}

    def environment(self) -> dict[str, str]:
        return {"PLAYHT_API_KEY": self.key, "PLAYHT_USER_ID": self.user}

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/api/v4/sdk-auth", self._authorise),
            web.post("/inference/{engine}/stream", self._speak),
        ]

    async def _authorise(self, request: web.Request) -> web.Response:
        self.requests += 1
        # A fault in mid-stream is for the request that follows.
        fault = self.next_fault() if self.fault in STATUS_OF else None
        if fault is not None:
            return web.Response(status=STATUS_OF[fault], headers=waiting(fault))
        who = (request.headers.get("x-user-id"), request.headers.get("authorization"))
        if who != (self.user, f"Bearer {self.key}"):
            return web.Response(status=401)
        self.addresses_given += 1
        token = secrets.token_hex(8)
        self.tokens.add(token)
        until = datetime.now(UTC) + self.token_lasts
        answer: dict[str, Any] = {"expires_at": until.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
        for engine in ENGINES:
            path = f"{self.base.removeprefix('http')}/inference/{engine}/stream?token={token}"
            answer[engine] = {
                "http_streaming_url": f"http{path}",
                "websocket_url": f"ws{path}",
            }
        self.violations += _published.faults_of("SdkAuth", answer)
        return web.json_response(answer)

    async def _speak(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        if request.query.get("token") not in self.tokens:
            return web.Response(status=401)
        fault = self.next_fault()
        if fault in STATUS_OF:
            return web.Response(status=STATUS_OF[fault], headers=waiting(fault))
        asked = await request.json()
        self.asked.append(asked)
        self.violations += _published.faults_of("SpeechRequest", asked)
        if asked["voice_engine"] != request.match_info["engine"]:
            self.violations.append("one engine's address was used for another")
        response = web.StreamResponse(headers={"Content-Type": "audio/basic"})
        response.enable_chunked_encoding()
        pieces = self._pcm(" ".join(asked["text"]), asked["sample_rate"])
        return await self.send_stream(request, response, pieces, fault)

    async def _pcm(self, text: str, rate: int) -> AsyncIterator[bytes]:
        # An odd number of bytes: samples do not keep to chunks.
        size = bytes_for(CHUNK_MS, rate) + 1
        async with aclosing(self.voice(text, rate)) as chunks:
            async for pcm, _ in chunks:
                for start in range(0, len(pcm), size):
                    yield pcm[start : start + size]
