"""Sorts what an HTTP status says of a provider into retry now, later or never.

The body of an error may quote the key: none of it is passed on. What is said is made of the
status alone.
"""

from parley.faults import ProviderError
from parley.messages import Retry

_REFUSED = {
    400: "did not understand the request (is the model's name right?)",
    401: "refused the key",
    402: "wants to be paid: its quota is used up",
    403: "refused the key: it may not do this",
    404: "knows no such model, voice or address",
    422: "did not understand the request",
}


def error_of(status: int, who: str, retry_after: float | None = None) -> ProviderError:
    """What a response with this status means; `who` sent it, for people.

    `retry_after`: the seconds that it asked for.
    """
    if status == 429:
        reason = f"{who} is over its rate limit (429)"
        return ProviderError(reason, Retry.LATER, retry_after=retry_after)
    if status in _REFUSED:
        return ProviderError(f"{who} {_REFUSED[status]} ({status})", Retry.NEVER)
    if 400 <= status < 500 and status != 408:
        return ProviderError(f"{who} refused the request ({status})", Retry.NEVER)
    if retry_after is not None:
        return ProviderError(f"{who} is busy ({status})", Retry.LATER, retry_after=retry_after)
    return ProviderError(f"{who} failed ({status})", Retry.NOW)


def unreachable(who: str) -> ProviderError:
    """No connection, or one that broke off."""
    return ProviderError(f"{who} cannot be reached, or broke off", Retry.NOW)


def late(who: str) -> ProviderError:
    """No answer in time."""
    return ProviderError(f"{who} did not answer in time", Retry.NOW)


def broken_off(who: str) -> ProviderError:
    """The stream stopped without its finish signal."""
    return ProviderError(f"{who} broke off in the middle", Retry.NOW)


def not_understood(who: str) -> ProviderError:
    """What came is not what its protocol says."""
    return ProviderError(f"{who} sent what cannot be understood", Retry.NOW)


def withheld(who: str) -> ProviderError:
    """The model has an answer, or none, that its provider does not let out."""
    return ProviderError(f"{who} withheld a reply (content filter)", Retry.NEVER)
