"""Sorts what can go wrong with a request to AWS into retry now, later or never."""

import asyncio
from datetime import UTC, datetime

import aiohttp
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    HTTPClientError,
    IncompleteReadError,
    ReadTimeoutError,
)
from botocore.exceptions import ConnectionError as NoConnection

from parley.faults import ProviderError
from parley.retry_after import retry_after
from parley.statuses import broken_off, error_of, late, unreachable

ERRORS = (BotoCoreError, ClientError, aiohttp.ClientError, asyncio.TimeoutError)
"""What a request may raise."""

_STATUS_OF = {
    "Throttling": 429,
    "ThrottlingException": 429,
    "TooManyRequestsException": 429,
    "RequestLimitExceeded": 429,
    "ExpiredToken": 401,
    "ExpiredTokenException": 401,
    "IncompleteSignature": 401,
    "InvalidClientTokenId": 401,
    "InvalidSignatureException": 401,
    "MissingAuthenticationToken": 401,
    "SignatureDoesNotMatch": 401,
    "UnrecognizedClientException": 401,
    "AccessDenied": 403,
    "AccessDeniedException": 403,
    "OptInRequired": 403,
    "ServiceFailureException": 500,
    "ServiceUnavailable": 503,
    "ServiceUnavailableException": 503,
}
"""What AWS calls an error, and the status that says it best: throttling may come as a 400."""


def sorted_error(error: Exception, who: str) -> ProviderError:
    """What the SDK raised, as ours. Its text may quote what was to be said: it is dropped."""
    match error:
        case ClientError():
            return _of_response(error, who)
        case ReadTimeoutError() | ConnectTimeoutError() | TimeoutError():
            return late(who)
        case IncompleteReadError() | aiohttp.ClientPayloadError():
            return broken_off(who)
        case HTTPClientError() | NoConnection() | aiohttp.ClientError():
            return unreachable(who)
        case _:
            # The SDK itself would not send it.
            return error_of(400, who)


def is_refused(error: Exception) -> bool:
    """Whether the request itself was at fault: asking again for the same is of no use."""
    return isinstance(error, ClientError) and _status(error) == 400


def _of_response(error: ClientError, who: str) -> ProviderError:
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return error_of(_status(error), who, retry_after(headers, datetime.now(UTC)))


def _status(error: ClientError) -> int:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    return _STATUS_OF.get(code) or int(status)
