"""A connection to Deepgram through its SDK: how it is opened, refused, written to and closed.

The SDK hides what a refused handshake says: only the status is left, and the headers are those of
the request. It would wait 10 s for a dead server to say goodbye.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import TypeVar

import httpx
from deepgram import AsyncDeepgramClient, DeepgramClientEnvironment
from deepgram.core.api_error import ApiError
from deepgram.listen.v1.socket_client import AsyncV1SocketClient
from deepgram.listen.v2.socket_client import AsyncV2SocketClient
from websockets.exceptions import WebSocketException

from parley.cloud import CloudSettings
from parley.providers import ProviderError
from parley.retry_after import retry_after
from parley.secret_refs import SecretRef
from parley.statuses import broken_off, error_of, late, unreachable
from parley_stt.clouds.replay import OverdueError

WHO = "Deepgram"
CONNECT_SECONDS = 3.0
"""A handshake may take so long."""
SEND_SECONDS = 5.0
"""A provider that takes nothing for so long is gone."""
CLOSE_SECONDS = 0.3
"""How long each step of closing a connection waits for the other side."""
BROKEN = (OSError, WebSocketException)
"""What a connection that broke raises."""

Socket = TypeVar("Socket", AsyncV1SocketClient, AsyncV2SocketClient)


class DeepgramSettings(CloudSettings):
    """What both kinds of Deepgram can be told."""

    api_key: SecretRef = "env:DEEPGRAM_API_KEY"

    keyterms: tuple[str, ...] = ()
    """Words that are not in every dictionary, and are to be expected."""


def client(key: str, base_url: str | None) -> AsyncDeepgramClient:
    """The SDK's client for websockets at `base_url`, or at Deepgram itself."""
    # It would make one for HTTP requests, of which there are none: that loads certificates.
    unused = httpx.AsyncClient(verify=False)  # noqa: S501
    if base_url is None:
        return AsyncDeepgramClient(api_key=key, httpx_client=unused)
    scheme, _, rest = base_url.rstrip("/").partition("://")
    secure = "s" if scheme in ("https", "wss") else ""
    http, ws = f"http{secure}://{rest}", f"ws{secure}://{rest}"
    place = DeepgramClientEnvironment(base=http, production=ws, agent=ws, agent_rest=http)
    return AsyncDeepgramClient(api_key=key, environment=place, httpx_client=unused)


@asynccontextmanager
async def opened(opening: AbstractAsyncContextManager[Socket]) -> AsyncIterator[Socket]:
    """The connection, for as long as it is wanted. Raises ProviderError where there is none."""
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                socket = await stack.enter_async_context(opening)
        except ApiError as error:
            raise _refused(error) from None
        except TimeoutError:
            raise OverdueError(str(late(WHO))) from None
        except BROKEN:
            raise unreachable(WHO) from None
        # The SDK has no setting for it.
        socket._websocket.close_timeout = CLOSE_SECONDS
        yield socket


@asynccontextmanager
async def sending() -> AsyncIterator[None]:
    """While something is sent. Raises ProviderError where it cannot be."""
    try:
        async with asyncio.timeout(SEND_SECONDS):
            yield
    except (TimeoutError, *BROKEN):
        raise broken_off(WHO) from None


def _refused(error: ApiError) -> ProviderError:
    # What the server said of it is lost in the SDK's error; the error that it was made of has it.
    said = getattr(error.__context__, "headers", None) or {}
    headers = {str(name).lower(): str(value) for name, value in said.items()}
    return error_of(error.status_code or 500, WHO, retry_after(headers, datetime.now(UTC)))
