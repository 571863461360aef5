"""A tool that is a request to a web server."""

import asyncio
import json
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import quote

import httpx

from parley.messages import ToolDescription
from parley.retry_after import retry_after
from parley.tools import HttpTool
from parley_agent.tools.base import RESULT_CHARACTERS, Secrets, Tool, ToolFailed, shortened

AGAIN_SECONDS = 0.2
"""How long it waits before it tries again, where the server does not say; each time twice that."""
LONGEST_SECONDS = 120.0
"""No tool may take longer; each has its own limit below that."""
ERROR_CHARACTERS = 1_000
"""So much of an error's text is passed on to the model."""
TEXTS = ("text/", "json", "xml", "javascript", "x-www-form-urlencoded")


def client() -> httpx.AsyncClient:
    """A client for all tools of a process. It follows no redirect and keeps no cookie."""
    no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    return httpx.AsyncClient(timeout=LONGEST_SECONDS, cookies=no_cookies)


class _Again(Exception):
    """The request failed in a way that may pass. `wait`: the seconds the server asked for."""

    def __init__(self, reason: str, wait: float | None = None, *, sent: bool = True) -> None:
        super().__init__(reason)
        self.wait = wait
        self.sent = sent


class HttpRequest(Tool):
    """Calls a web server."""

    def __init__(self, tool: HttpTool, http: httpx.AsyncClient) -> None:
        super().__init__(
            ToolDescription(
                name=tool.name, description=tool.description, parameters=tool.parameters
            )
        )
        self.timeout_seconds = tool.timeout_seconds
        self.filler = tool.filler
        self.filler_after_ms = tool.filler_after_ms
        self.may_repeat = tool.may_repeat
        self._tool = tool
        self._http = http

    async def call(self, arguments: dict[str, Any], key: str) -> str:
        """Make the request, and again where that does no harm. Raises ToolFailed."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self.timeout_seconds
        secrets = Secrets(self._tool.headers, self.name)
        request = self._request(arguments, secrets.values, key)
        tries, pause = self._tool.retries, AGAIN_SECONDS
        while True:
            try:
                return secrets.hidden_in(await self._send(request))
            except _Again as failure:
                wait = failure.wait or pause * random.uniform(0.5, 1.5)
                allowed = self.may_repeat or not failure.sent
                if tries == 0 or not allowed or clock() + wait >= deadline:
                    raise ToolFailed(secrets.hidden_in(str(failure))) from None
            except ToolFailed as failure:
                raise ToolFailed(secrets.hidden_in(str(failure))) from None
            await asyncio.sleep(wait)
            tries, pause = tries - 1, pause * 2

    def _request(
        self, arguments: dict[str, Any], headers: Mapping[str, str], key: str
    ) -> httpx.Request:
        tool = self._tool
        places = {name: _in_address(name, arguments.get(name, "")) for name in tool.placeholders}
        rest = {name: value for name, value in arguments.items() if name not in places}
        url = httpx.URL(tool.url.format_map(places))
        if tool.method == "GET":
            url = url.copy_merge_params({name: _as_text(value) for name, value in rest.items()})
            return self._http.build_request("GET", url, headers=headers)
        headers = {"Idempotency-Key": key, **headers}
        return self._http.build_request(tool.method, url, headers=headers, json=rest)

    async def _send(self, request: httpx.Request) -> str:
        try:
            response = await self._http.send(request, stream=True)
            try:
                return _judged(response, await _text(response))
            finally:
                await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise _Again("Its server cannot be reached.", sent=False) from None
        except httpx.TransportError:
            raise _Again("The connection to its server broke off.") from None
        except httpx.HTTPError:
            raise ToolFailed("Its server sent what cannot be understood.") from None


def _judged(response: httpx.Response, text: str) -> str:
    status = response.status_code
    if response.is_success:
        return text or "(Done; there is nothing to tell.)"
    if response.is_redirect:
        raise ToolFailed(f"Its server answered {status}: it has moved.")
    reason = f"Its server answered {status}: {shortened(text, ERROR_CHARACTERS)}"
    if status == 429 or status >= 500:
        raise _Again(reason, retry_after(response.headers, datetime.now(UTC)))
    raise ToolFailed(reason)


async def _text(response: httpx.Response) -> str:
    """The beginning of the answer, no more of it than is passed on."""
    kind = response.headers.get("content-type", "text/plain").lower()
    if not any(one in kind for one in TEXTS):
        return f"(It is no text but {kind.partition(';')[0]}.)"
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > 4 * RESULT_CHARACTERS:
            break
    try:
        text = body.decode(response.encoding or "utf-8", errors="replace")
    except LookupError:
        text = body.decode(errors="replace")
    return shortened(text)


def _in_address(name: str, value: Any) -> str:
    text = _as_text(value)
    if text in ("", ".", ".."):
        raise ToolFailed(f"{name}: {text!r} is not possible.")
    return quote(text, safe="")


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
