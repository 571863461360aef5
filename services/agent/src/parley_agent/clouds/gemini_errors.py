"""Sorts what can go wrong with the Gemini API into retry now, later or never.

The text of an SDK's error holds the server's answer: none of it is passed on.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx2
from google.genai import errors, types

from parley.messages import Retry
from parley.providers import ProviderError
from parley.retry_after import retry_after
from parley.statuses import broken_off, error_of, late, not_understood, unreachable, withheld

FAILURES = (errors.APIError, httpx2.HTTPError, ValueError, TypeError, AttributeError, KeyError)
"""What the SDK raises: of connections, its HTTP library's errors; the last four are of messages
that are not of the protocol."""

_WHOLE = frozenset({types.FinishReason.STOP, types.FinishReason.MAX_TOKENS})
_WITHHELD = frozenset(
    {
        types.FinishReason.SAFETY,
        types.FinishReason.RECITATION,
        types.FinishReason.LANGUAGE,
        types.FinishReason.BLOCKLIST,
        types.FinishReason.PROHIBITED_CONTENT,
        types.FinishReason.SPII,
        types.FinishReason.MODEL_ARMOR,
    }
)


def sorted_error(error: Exception, who: str) -> ProviderError:
    """One of FAILURES as ours; `who` says whose model it was, for people."""
    match error:
        case errors.APIError():
            return error_of(_status(error), who, _wait(error))
        case httpx2.TimeoutException():
            return late(who)
        case httpx2.HTTPError():
            return unreachable(who)
        case _:
            return not_understood(who)


def check_finish(finish: types.FinishReason | None, who: str) -> None:
    """Raise ProviderError unless the reply has come to its end."""
    if finish in _WHOLE:
        return
    if finish in _WITHHELD:
        raise withheld(who)
    if finish is None:
        raise broken_off(who)
    raise ProviderError(f"{who} could not finish a reply ({finish.name})", Retry.NOW)


def _status(error: errors.APIError) -> int:
    """The error's status. A wrong key comes as 400, "cancelled by the client" as 499 although
    the client has done no such thing.
    """
    if any(detail.get("reason") == "API_KEY_INVALID" for detail in _details(error)):
        return 401
    code = error.code if isinstance(error.code, int) else 500
    return 500 if code == 499 or code < 400 else code


def _wait(error: errors.APIError) -> float | None:
    """Seconds until it is worth trying again: from the header, or from the error itself."""
    headers = getattr(error.response, "headers", None) or {}
    if (seconds := retry_after(headers, datetime.now(UTC))) is not None:
        return seconds
    for detail in _details(error):
        delay = {"retry-after": str(detail.get("retryDelay", "")).removesuffix("s")}
        if (seconds := retry_after(delay, datetime.now(UTC))) is not None:
            return seconds
    return None


def _details(error: errors.APIError) -> Iterator[dict[str, Any]]:
    body = error.details if isinstance(error.details, dict) else {}
    inner = body.get("error", body)
    details = inner.get("details") if isinstance(inner, dict) else None
    yield from (detail for detail in details or () if isinstance(detail, dict))
