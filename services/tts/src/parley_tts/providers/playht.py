"""Play.ht: for servers that still speak its protocol.

The service itself ended on 31 December 2025. Its SDK holds protobuf and websockets back for all
others, so its HTTP is spoken here as it is: an address with a token first, then a request for each
sentence. It has no word times.
"""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import ClassVar, Literal

import aiohttp
from pydantic import Field

from parley.cloud import CloudSettings
from parley.messages import Retry
from parley.providers import ProviderError, ProviderSettings, SynthesisResult, Synthesizer
from parley.retry_after import retry_after
from parley.secret_refs import SecretRef, resolve
from parley.statuses import broken_off, error_of, late, not_understood, unreachable
from parley_tts.clouds.cloud_speech import cloud_speech
from parley_tts.clouds.playht_wire import SAMPLE_RATE, Address, read_address, request

WHO = "Play.ht"


class PlayHTSettings(CloudSettings):
    """Settings of a voice of a server of Play.ht's kind. It needs a `baseUrl`."""

    api_key: SecretRef = "env:PLAYHT_API_KEY"

    user_id: SecretRef = "env:PLAYHT_USER_ID"
    """Where the id of the account's user is: `env:NAME` or `file:/path`."""

    voice: str = Field(
        default="s3://voice-cloning-zero-shot/775ae416-49bb-4fb6-bd45-740f205d20a1"
        "/jennifersaad/manifest.json",
        min_length=1,
    )
    """The voice's manifest. Default: Jennifer, American."""

    engine: Literal["Play3.0-mini", "PlayDialog", "PlayDialogMultilingual", "PlayDialogArabic"] = (
        "Play3.0-mini"
    )
    """The model."""

    speed: float = Field(default=1.0, ge=0.1, le=5.0)
    """How fast it speaks: 1.0 is its natural pace."""


class PlayHTSynthesizer(Synthesizer):
    """Speaks sentence by sentence, over connections that all calls with this voice share."""

    Settings = PlayHTSettings
    settings: PlayHTSettings

    _sessions: ClassVar[set[aiohttp.ClientSession]] = set()

    def __init__(self, settings: ProviderSettings, language: str) -> None:
        super().__init__(settings, language)
        if self.settings.base_url is None:
            raise ProviderError(
                f"{WHO} ended its service on 31 December 2025: give the baseUrl of a server "
                "that speaks its protocol, or take another voice",
                Retry.NEVER,
            )
        self._headers = {
            "x-user-id": resolve(self.settings.user_id, WHO),
            "authorization": f"Bearer {self.settings.key(WHO)}",
        }
        self._session: aiohttp.ClientSession | None = None
        self._address: Address | None = None
        self._asking = asyncio.Lock()

    @classmethod
    async def shut_down(cls) -> None:
        """Close all connections."""
        while cls._sessions:
            await cls._sessions.pop().close()

    async def create_speech(self, message: str) -> SynthesisResult:
        """Begin to speak a sentence."""
        account = self.settings.account(WHO)
        return cloud_speech(message, SAMPLE_RATE, WHO, account, self._speak)

    async def _speak(self, result: SynthesisResult) -> AsyncGenerator[bytes, None]:
        settings = self.settings
        asked = request(
            result.message, settings.voice, settings.engine, self.language, settings.speed
        )
        try:
            address, is_new = await self._streaming_address()
            async with asyncio.timeout(self.patience.first):
                response = await self._open().post(
                    address.url,
                    json=asked,
                    headers={"accept": "audio/basic"},
                    allow_redirects=False,
                )
            async with response:
                self._check(response, has_new_token=is_new)
                while pcm := await self._read(response):
                    yield pcm
        except aiohttp.ClientPayloadError:
            raise broken_off(WHO) from None
        except TimeoutError:
            raise late(WHO) from None
        except aiohttp.ClientError:
            raise unreachable(WHO) from None

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        """What is there of the speech, in time: aiohttp waits for ever on a malformed response."""
        async with asyncio.timeout(self.patience.between):
            return await response.content.readany()

    def _check(self, response: aiohttp.ClientResponse, *, has_new_token: bool) -> None:
        if response.status < 300:
            return
        if response.status in (401, 403):
            self._address = None
            if not has_new_token:
                raise ProviderError(f"{WHO} takes the address it gave no more", Retry.NOW)
        raise _refused(response)

    async def _streaming_address(self) -> tuple[Address, bool]:
        """Where to ask for speech, and whether the server has just said so."""
        async with self._asking:
            if self._address is not None and self._address.is_good(datetime.now(UTC)):
                return self._address, False
            self._address = await self._ask_for_address()
            return self._address, True

    async def _ask_for_address(self) -> Address:
        url = f"{(self.settings.base_url or '').rstrip('/')}/sdk-auth"
        async with (
            asyncio.timeout(self.patience.first),
            self._open().post(url, headers=self._headers, allow_redirects=False) as response,
        ):
            if response.status >= 300:
                raise _refused(response)
            try:
                return read_address(await response.json(content_type=None), self.settings.engine)
            except ValueError:
                raise not_understood(WHO) from None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            # Bounded by the account's limits and by the timeouts around each wait.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout()
            )
            self._sessions.add(self._session)
        return self._session


def _refused(response: aiohttp.ClientResponse) -> ProviderError:
    return error_of(response.status, WHO, retry_after(response.headers, datetime.now(UTC)))
