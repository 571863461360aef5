"""Sorts what can go wrong with Anthropic's Messages API into retry now, later or never.

The text of an SDK's error holds the server's answer: none of it is passed on.
"""

from datetime import UTC, datetime

import anthropic
import httpx2

from parley.messages import Retry
from parley.providers import ProviderError
from parley.retry_after import retry_after
from parley.statuses import error_of, late, not_understood, unreachable

FAILURES = (anthropic.AnthropicError, httpx2.HTTPError, ValueError, TypeError, AttributeError)
"""What the SDK raises. A connection that breaks in mid-stream comes as its HTTP library's error;
the last three are of messages that are not of the protocol."""

_STATUS_OF = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "timeout_error": 408,
    "rate_limit_error": 429,
    "api_error": 500,
    "overloaded_error": 529,
}
"""What an error in the stream is called, and the status that it would have come with. The SDK
gives it that of the response, 200."""


def sorted_error(error: Exception, who: str) -> ProviderError:
    """One of FAILURES as ours; `who` says whose model it was, for people."""
    match error:
        case anthropic.APITimeoutError() | httpx2.TimeoutException():
            return late(who)
        case anthropic.APIStatusError():
            wait = retry_after(error.response.headers, datetime.now(UTC))
            return error_of(_status(error), who, wait)
        case anthropic.APIConnectionError() | httpx2.HTTPError():
            return unreachable(who)
        case anthropic.AnthropicError():
            return ProviderError(f"{who} failed in the middle of a reply", Retry.NOW)
        case _:
            return not_understood(who)


def _status(error: anthropic.APIStatusError) -> int:
    named = _STATUS_OF.get(str(error.type))
    if error.status_code < 400:
        return named or 500
    # An account that has run out is refused with 400, and no waiting helps.
    return 402 if named == 402 else error.status_code
