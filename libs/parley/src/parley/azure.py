"""What hearing and speaking through Azure have in common. Nothing here needs its SDK."""

import re

from pydantic import Field

from parley import statuses
from parley.cloud import CloudSettings
from parley.faults import ProviderError
from parley.secret_refs import SecretRef

WHO = "Azure Speech"
TICKS_PER_MS = 10_000
"""Azure counts time in ticks of 100 ns."""

_STATUS = re.compile(r"\(([45]\d\d)\)")
_STATUSES = {
    "AuthenticationFailure": 401,
    "BadRequest": 400,
    "TooManyRequests": 429,
    "Forbidden": 402,  # "the free subscription ran out of quota"
    "ServiceError": 500,
    "ServiceUnavailable": 503,
    "RuntimeError": 500,
}


class AzureSettings(CloudSettings):
    """Settings of both Azure providers."""

    api_key: SecretRef = "env:AZURE_SPEECH_KEY"
    """Where the key of the Speech resource is."""

    region: str = Field(default="eastus", pattern=r"^[a-z0-9]+$")
    """The region of the Speech resource. `baseUrl` takes its place: the `https://` endpoint of a
    resource with a domain of its own, or `ws://host:port` of a container."""

    def address(self) -> dict[str, str]:
        """Where the service is, as arguments of the SDK's SpeechConfig."""
        if self.base_url is None:
            return {"region": self.region}
        url = self.base_url.rstrip("/")
        is_host = re.fullmatch("wss?://[^/]*", url) is not None
        return {"host" if is_host else "endpoint": url}


def error_of(code: str, details: str) -> ProviderError:
    """What it means that the SDK cancelled with this CancellationErrorCode.

    `details` is only searched for an HTTP status: it holds text of the server. The SDK does not
    tell the headers, so a Retry-After is lost.
    """
    status = _STATUS.search(details.partition("\n")[0])
    if status is not None:
        return statuses.error_of(int(status[1]), WHO)
    if code in _STATUSES:
        return statuses.error_of(_STATUSES[code], WHO)
    return statuses.late(WHO) if code == "ServiceTimeout" else statuses.unreachable(WHO)
