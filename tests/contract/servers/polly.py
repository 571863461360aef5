"""Amazon Polly's stand-in: checked with botocore's own model and its own signature."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from functools import cache
from typing import Any

from aiohttp import web
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, StructureShape
from botocore.validate import ParamValidator

from contract.servers.base import Fault
from contract.servers.over_http import HttpServer
from contract.servers.voice import speech
from parley.audio import bytes_for
from parley.marks import Mark

CHUNK_MS = 250.0
SAMPLE_RATES = {"8000": 8_000, "16000": 16_000}

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/\d{8}/([a-z0-9-]+)/polly/aws4_request, "
    r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})"
)
_ERRORS = {
    Fault.UNAUTHORIZED: (403, "UnrecognizedClientException"),
    Fault.FORBIDDEN: (403, "AccessDeniedException"),
    Fault.BUSY: (400, "ThrottlingException"),
    Fault.BROKEN: (500, "ServiceFailureException"),
}
"""AWS knows no 401, and throttles with a 400."""

Voice = Callable[[str, int], AsyncGenerator[tuple[bytes, list[Mark]], None]]


class PollyServer(HttpServer):
    """SynthesizeSpeech, for speech and for marks. Its `key` is the secret access key."""

    def __init__(self, voice: Voice = speech) -> None:
        super().__init__()
        self.voice = voice
        self.key_id = "AKIACONTRACT"
        self.gives_marks = True
        """Whether this engine has marks."""
        self.marks_delay = 0.0
        """Seconds until it sends marks."""
        self.marks_asked_for = 0
        self.session_tokens: set[str | None] = set()
        """The tokens of temporary keys that came."""
        self.texts: list[str] = []
        """What it was asked to speak."""
        self._spoken: dict[tuple[str, int], asyncio.Task[tuple[bytes, list[Mark]]]] = {}

    def settings(self) -> dict[str, Any]:
        return {"baseUrl": self.base}

    def environment(self) -> dict[str, str]:
        return {"AWS_ACCESS_KEY_ID": self.key_id, "AWS_SECRET_ACCESS_KEY": self.key}

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/v1/speech", self._synthesize)]

    async def stop(self) -> None:
        for task in self._spoken.values():
            task.cancel()
        await asyncio.gather(*self._spoken.values(), return_exceptions=True)
        await super().stop()

    async def _synthesize(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        body = await request.read()
        if not is_signed(request, body, self.key_id, self.key):
            return _refused(403, "InvalidSignatureException")
        self.session_tokens.add(request.headers.get("X-Amz-Security-Token"))
        asked = json.loads(body)
        self.violations += faults_of(asked)
        is_audio = asked["OutputFormat"] == "pcm"
        fault = self.next_fault() if is_audio else self.fault
        if fault in _ERRORS:
            return _refused(*_ERRORS[fault])
        if is_audio:
            return await self._send_speech(request, asked, fault)
        return await self._send_marks(asked, fault)

    async def _send_speech(
        self, request: web.Request, asked: dict[str, Any], fault: Fault | None
    ) -> web.StreamResponse:
        rate = SAMPLE_RATES.get(asked.get("SampleRate", "16000"))
        if rate is None:
            return _refused(400, "InvalidSampleRateException")
        self.texts.append(asked["Text"])
        response = web.StreamResponse(headers=_headers("audio/pcm", asked["Text"]))
        response.enable_chunked_encoding()
        return await self.send_stream(request, response, self._pcm(asked["Text"], rate), fault)

    async def _pcm(self, text: str, rate: int) -> AsyncIterator[bytes]:
        pcm, _ = await self._speech(text, rate)
        # An odd number of bytes: samples do not keep to chunks.
        size = bytes_for(CHUNK_MS, rate) + 1
        for start in range(0, len(pcm), size):
            yield pcm[start : start + size]

    async def _send_marks(self, asked: dict[str, Any], fault: Fault | None) -> web.Response:
        self.marks_asked_for += 1
        if not self.gives_marks:
            return _refused(400, "EngineNotSupportedException")
        if fault is Fault.SLOW:
            await asyncio.Event().wait()
        await asyncio.sleep(self.marks_delay)
        text = asked["Text"]
        _, marks = await self._speech(text, 16_000)
        lines = [json.dumps(_line(text, mark)) for mark in marks]
        if fault is Fault.MALFORMED:
            lines.insert(1, "{not json")
        headers = _headers("application/x-json-stream", text)
        return web.Response(body="\n".join(lines).encode(), headers=headers)

    async def _speech(self, text: str, rate: int) -> tuple[bytes, list[Mark]]:
        """The speech of a text, spoken once for both requests."""
        if (text, rate) not in self._spoken:
            self._spoken[text, rate] = asyncio.create_task(_whole(self.voice, text, rate))
        return await asyncio.shield(self._spoken[text, rate])


async def _whole(voice: Voice, text: str, rate: int) -> tuple[bytes, list[Mark]]:
    audio, words = b"", []
    async with aclosing(voice(text, rate)) as chunks:
        async for pcm, marks in chunks:
            audio += pcm
            words += marks
    return audio, words


def _line(text: str, mark: Mark) -> dict[str, Any]:
    word = mark.word.strip(".,;:!?\"'()")
    offset = text.index(word, mark.offset)
    start = len(text[:offset].encode())
    return {
        "time": round(mark.start_ms),
        "type": "word",
        "start": start,
        "end": start + len(word.encode()),
        "value": word,
    }


def _refused(status: int, name: str) -> web.Response:
    headers = {"x-amzn-ErrorType": name}
    return web.json_response({"message": "No."}, status=status, headers=headers)


def _headers(content_type: str, text: str) -> dict[str, str]:
    headers = {"Content-Type": content_type, "x-amzn-RequestCharacters": str(len(text))}
    members = _operation().output_shape.members.values()
    published = {member.serialization.get("name") for member in members}
    assert set(headers) <= published
    return headers


def is_signed(request: web.Request, body: bytes, key_id: str, secret: str) -> bool:
    """Whether the request has the signature that botocore makes for it with this key."""
    match = _AUTHORIZATION.fullmatch(request.headers.get("Authorization", ""))
    if match is None or match[1] != key_id:
        return False
    _, region, signed, signature = match.groups()
    headers = {name: request.headers.get(name, "") for name in signed.split(";")}
    copy = AWSRequest(request.method, str(request.url), headers=headers, data=body)
    copy.context["timestamp"] = request.headers.get("X-Amz-Date", "")
    auth = SigV4Auth(Credentials(key_id, secret), "polly", region)
    text = auth.string_to_sign(copy, auth.canonical_request(copy))
    return bool(auth.signature(text, copy) == signature)


def faults_of(asked: dict[str, Any]) -> list[str]:
    """What is wrong with a request, by botocore's model and what Polly's guide adds to it."""
    shape = _operation().input_shape
    faults: list[str] = []
    report = ParamValidator().validate(asked, shape)
    if report.has_errors():
        faults.append(report.generate_report())
    faults += [f"unknown: {name}" for name in asked if name not in shape.members]
    for name, value in asked.items():
        known = getattr(shape.members.get(name), "enum", None)
        if known and value not in known:
            faults.append(f"{name}: {value}")
    if asked.get("OutputFormat") == "json":
        if not asked.get("SpeechMarkTypes"):
            faults.append("no types of marks")
    elif asked.get("OutputFormat") != "pcm" or "SpeechMarkTypes" in asked:
        faults.append("neither speech nor marks")
    return faults


@cache
def _operation() -> OperationModel:
    description = Loader().load_service_model("polly", "service-2")
    operation = ServiceModel(description, "polly").operation_model("SynthesizeSpeech")
    assert isinstance(operation.input_shape, StructureShape)
    return operation
