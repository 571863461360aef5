"""Sorts what can go wrong with a chat completion into retry now, later or never.

The text of an SDK's error holds the server's answer, which may quote the key: none of it is
passed on. What is said is made of the status alone.
"""

from datetime import UTC, datetime

import openai

from parley.messages import Retry
from parley.providers import ProviderError
from parley.retry_after import retry_after
from parley.statuses import error_of, late, unreachable, withheld

_STATUS_OF = {
    "invalid_request_error": 400,
    "context_length_exceeded": 400,
    "invalid_prompt": 400,
    "invalid_api_key": 401,
    "authentication_error": 401,
    "insufficient_quota": 402,
    "billing_hard_limit_reached": 402,
    "permission_error": 403,
    "model_not_found": 404,
    "not_found_error": 404,
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "requests": 429,
    "tokens": 429,
}
"""What an error object in the stream is called, and the status that it would have come with.
`requests` and `tokens` are OpenAI's types of rate limits."""
_QUOTA = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
"""Sent with 429, but no waiting helps."""
_WITHHELD = frozenset({"content_filter", "content_policy_violation"})


def sorted_error(error: openai.OpenAIError, who: str, now: datetime | None = None) -> ProviderError:
    """The SDK's error as ours; `who` says whose model it was, for people.

    `now` is what a Retry-After with a date is compared to: the present, unless told.
    """
    match error:
        case openai.APITimeoutError():
            return late(who)
        case openai.APIError(code=code) if code in _WITHHELD:
            return withheld(who)
        case openai.APIStatusError():
            status = 402 if error.code in _QUOTA else error.status_code
            wait = retry_after(error.response.headers, now or datetime.now(UTC))
            return error_of(status, who, wait)
        case openai.APIConnectionError():
            return unreachable(who)
        case openai.APIError() if (named := _status_in(error)) is not None:
            return error_of(named, who, None)
        case _:
            return ProviderError(f"{who} failed in the middle of a reply", Retry.NOW)


def _status_in(error: openai.APIError) -> int | None:
    """The status of an error that came in the stream, by its number or by its name."""
    for name in (str(error.code), str(error.type)):
        if name in _STATUS_OF:
            return _STATUS_OF[name]
        if name.isdecimal() and 400 <= int(name) < 600:
            return int(name)
    return None
