"""Amazon Polly: a request for the speech and, beside it, one for the times of its words."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from typing import Any, ClassVar, Literal

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session
from pydantic import Field

from parley.cloud import CloudSettings
from parley.marks import Mark
from parley.providers import (
    ProviderSettings,
    SynthesisResult,
    Synthesizer,
    SynthesizerCapabilities,
)
from parley.secret_refs import SecretRef, resolve
from parley_tts.clouds.cloud_speech import cloud_speech
from parley_tts.clouds.polly_errors import ERRORS, is_refused, sorted_error
from parley_tts.clouds.polly_marks import read_marks

WHO = "Amazon Polly"
SAMPLE_RATE = 16_000
"""The highest that Polly gives as PCM."""
_MARKS_SECONDS = 0.3
"""Once there is speech, it waits so long for its marks."""
_CHUNK_BYTES = 6400
_REQUESTS = 200
"""So many connections one voice may have at once: two for each sentence."""

for _name in ("botocore", "aiobotocore"):
    # For debugging they log what is said, and the key's id.
    logging.getLogger(_name).setLevel(logging.INFO)


class PollySettings(CloudSettings):
    """Settings of a voice of Amazon Polly."""

    access_key: SecretRef = "env:AWS_ACCESS_KEY_ID"
    """Where the id of the access key is: `env:NAME` or `file:/path`."""

    api_key: SecretRef = Field(default="env:AWS_SECRET_ACCESS_KEY", alias="secretKey")
    """Where the secret access key is."""

    session_token: SecretRef | None = None
    """Where the session token is, for temporary keys."""

    region: str = Field(default="us-east-1", pattern=r"^[a-z0-9-]+$")
    """The AWS region; not every one has every voice."""

    voice_id: str = Field(default="Joanna", pattern=r"^[A-Za-z]+$")
    """The voice."""

    engine: Literal["standard", "neural", "long-form", "generative"] = "neural"
    """How it speaks; not every voice knows every way."""

    word_times: bool = True
    """Whether to ask for the times of words. AWS bills them as a second request."""


class PollySynthesizer(Synthesizer):
    """Speaks sentence by sentence, over connections that all calls with this voice share."""

    Settings = PollySettings
    settings: PollySettings
    capabilities = SynthesizerCapabilities(gives_word_times=True)

    _session: ClassVar[AioSession | None] = None
    _clients: ClassVar[AsyncExitStack | None] = None

    def __init__(self, settings: ProviderSettings, language: str) -> None:
        super().__init__(settings, language)
        token = self.settings.session_token
        self._keys = {
            "aws_access_key_id": resolve(self.settings.access_key, WHO),
            "aws_secret_access_key": self.settings.key(WHO),
            "aws_session_token": resolve(token, WHO) if token else None,
        }
        self._client: Any = None
        self._opening = asyncio.Lock()
        self._gives_marks = self.settings.word_times

    @classmethod
    async def warm_up(cls) -> None:
        """Read the SDK's description of Polly, which takes a moment."""
        await cls._described()

    @classmethod
    async def shut_down(cls) -> None:
        """Close all connections."""
        clients, cls._clients, cls._session = cls._clients, None, None
        if clients is not None:
            await clients.aclose()

    async def create_speech(self, message: str) -> SynthesisResult:
        """Begin to speak a sentence."""
        account = self.settings.account(WHO)
        return cloud_speech(message, SAMPLE_RATE, WHO, account, self._speak)

    async def _speak(self, result: SynthesisResult) -> AsyncGenerator[bytes, None]:
        client = await self._connected()
        marking = asyncio.create_task(self._marks(client, result.message))
        has_marks: bool | None = None
        try:
            async with aclosing(self._pcm(client, result.message)) as pieces:
                async for pcm in pieces:
                    if has_marks is None:
                        has_marks = await _is_done(marking, _MARKS_SECONDS)
                        result.marks += marking.result() if has_marks else []
                    yield pcm
        finally:
            marking.cancel()
            await asyncio.wait({marking})

    async def _pcm(self, client: Any, text: str) -> AsyncGenerator[bytes, None]:
        """The speech. A response without its last chunk raises ProviderError."""
        try:
            response = await client.synthesize_speech(
                OutputFormat="pcm", SampleRate=str(SAMPLE_RATE), **self._request(text)
            )
            async with response["AudioStream"] as body:
                while pcm := await self._read(body, _CHUNK_BYTES):
                    yield pcm
        except ERRORS as error:
            raise sorted_error(error, WHO) from None

    async def _read(self, body: Any, size: int) -> bytes:
        """What is there of the response, in time: aiohttp waits for ever on a malformed one."""
        async with asyncio.timeout(self.patience.between):
            return bytes(await body.read(size))

    async def _marks(self, client: Any, text: str) -> list[Mark]:
        """The words' times; none where this voice has none, or they cannot be had now."""
        if not self._gives_marks:
            return []
        try:
            response = await client.synthesize_speech(
                OutputFormat="json", SpeechMarkTypes=["word"], **self._request(text)
            )
            async with response["AudioStream"] as body:
                return read_marks(text, await body.read())
        except ERRORS as error:
            if is_refused(error):
                self._gives_marks = False
            return []

    def _request(self, text: str) -> dict[str, str]:
        settings = self.settings
        return {"Text": text, "VoiceId": settings.voice_id, "Engine": settings.engine}

    async def _connected(self) -> Any:
        async with self._opening:
            if self._client is None:
                self._client = await self._open()
            return self._client

    async def _open(self) -> Any:
        kind = type(self)
        session = await kind._described()
        config = AioConfig(
            retries={"mode": "standard", "total_max_attempts": 1},
            connect_timeout=self.patience.first,
            read_timeout=self.patience.first,
            max_pool_connections=_REQUESTS,
        )
        client = session.create_client(
            "polly",
            region_name=self.settings.region,
            endpoint_url=self.settings.base_url,
            config=config,
            **self._keys,
        )
        kind._clients = kind._clients or AsyncExitStack()
        try:
            return await kind._clients.enter_async_context(client)
        except ERRORS as error:
            # AWS's own files and variables are read here, too, and may be wrong.
            raise sorted_error(error, WHO) from None

    @classmethod
    async def _described(cls) -> AioSession:
        """The session, which has read what there is to read."""
        if cls._session is None:
            session = get_session()
            await asyncio.to_thread(_read_descriptions, session)
            cls._session = session
        return cls._session


def _read_descriptions(session: AioSession) -> None:
    loader = session.get_component("data_loader")
    for name in ("endpoints", "partitions"):
        loader.load_data(name)
    for kind in ("service-2", "endpoint-rule-set-1"):
        loader.load_service_model("polly", kind)


async def _is_done(task: "asyncio.Task[list[Mark]]", seconds: float) -> bool:
    await asyncio.wait({task}, timeout=seconds)
    return task.done()
