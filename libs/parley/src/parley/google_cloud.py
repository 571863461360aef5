"""What hearing and speaking through Google Cloud have in common: credentials, channel, errors."""

import asyncio
import json
import logging
import os
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import grpc
from google.api_core import exceptions, grpc_helpers_async
from google.auth import default as default_credentials
from google.auth.credentials import Credentials
from google.auth.exceptions import GoogleAuthError
from google.oauth2.service_account import Credentials as ServiceAccount
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo

from parley.accounts import Account, Limits, account
from parley.cloud import CloudSettings
from parley.faults import ProviderError
from parley.messages import Retry
from parley.secret_refs import SecretRef, resolve
from parley.statuses import broken_off, error_of, late, not_understood, unreachable

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
PROJECT = "GOOGLE_CLOUD_PROJECT"
"""Where the environment names the project of an API key."""
OPTIONS = (
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.max_receive_message_length", -1),
)
# At DEBUG they would write what callers say, and the key.
for _noisy in ("google.cloud", "google.auth"):
    logging.getLogger(_noisy).setLevel(logging.INFO)

_STATUSES = {
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.UNIMPLEMENTED: 404,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.INTERNAL: 500,
    grpc.StatusCode.UNKNOWN: 500,
    grpc.StatusCode.DATA_LOSS: 500,
}


class GoogleSettings(CloudSettings):
    """Settings of both Google providers.

    Credentials are looked for in this order: `credentials`, `api_key`, and what the machine has
    (GOOGLE_APPLICATION_CREDENTIALS, gcloud's login, the service account of a Google machine).
    """

    credentials: SecretRef | None = None
    """Where the JSON key of a service account is: `file:/path` or `env:NAME`."""

    api_key: SecretRef = "env:GOOGLE_CLOUD_API_KEY"
    """Where an API key is; not used where there is none."""

    def account(self, who: str) -> Account:
        """The account that the credentials open, with its limits; shared by all of the process."""
        limits = Limits(self.requests_per_minute, self.max_streams)
        return account(who, f"{self.credentials or self.api_key} {self.base_url}", limits)


@dataclass(frozen=True)
class Access:
    """What opens Google Cloud to one provider."""

    credentials: Credentials | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    project: str | None = None

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What each call has to say."""
        return () if self.api_key is None else (("x-goog-api-key", self.api_key),)

    def channel(self, host: str, base_url: str | None) -> Any:
        """A new channel to `host`, or to `base_url`, in the clear if it begins with http://."""
        if base_url is not None:
            scheme, _, host = base_url.rstrip("/").partition("://")
            if scheme in ("http", "ws"):
                return grpc.aio.insecure_channel(host, OPTIONS)
        target = host if ":" in host else f"{host}:443"
        if self.credentials is None:
            return grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(), OPTIONS)
        return grpc_helpers_async.create_channel(
            target, credentials=self.credentials, default_scopes=SCOPES, options=OPTIONS
        )


def access(settings: GoogleSettings, who: str) -> Access | None:
    """The access that the settings name. None: only the machine's own is left.

    Raises ProviderError where what they name is not to be had.
    """
    if settings.credentials is not None:
        return _service_account(resolve(settings.credentials, who), who)
    try:
        return Access(api_key=settings.key(who), project=os.environ.get(PROJECT))
    except ProviderError:
        if "api_key" in settings.model_fields_set:
            raise
    return None


async def machine_access(who: str) -> Access:
    """The access that this machine has. Raises ProviderError where it has none."""
    try:
        return await asyncio.to_thread(_machine)
    except (GoogleAuthError, OSError, ValueError):
        raise ProviderError(
            f"{who} needs credentials: set `credentials`, GOOGLE_APPLICATION_CREDENTIALS or "
            "GOOGLE_CLOUD_API_KEY where the worker runs",
            Retry.NEVER,
        ) from None


@cache
def _machine() -> Access:
    credentials, project = default_credentials(scopes=SCOPES)
    return Access(credentials=credentials, project=project)


def _service_account(text: str, who: str) -> Access:
    try:
        info = json.loads(text)
        read: Any = ServiceAccount.from_service_account_info
        # It signs its own tokens: none has to be fetched as a call begins.
        credentials = read(info, scopes=SCOPES).with_always_use_jwt_access(True)
    except (ValueError, TypeError, KeyError, AttributeError, GoogleAuthError):
        raise ProviderError(
            f"{who} needs a service account: what `credentials` names is none", Retry.NEVER
        ) from None
    return Access(credentials=credentials, project=credentials.project_id)


FAILURES = (exceptions.GoogleAPICallError, GoogleAuthError, grpc.RpcError, DecodeError, OSError)
"""What the SDK raises; `error_from` tells what it means."""


def error_from(failure: BaseException, who: str) -> ProviderError:
    """What one of FAILURES means. Its text may quote what callers say: none of it is kept."""
    if isinstance(failure, GoogleAuthError):
        return unreachable(who) if getattr(failure, "retryable", False) else error_of(401, who)
    if isinstance(failure, DecodeError):
        return not_understood(who)
    if not isinstance(failure, exceptions.GoogleAPICallError):
        return late(who) if isinstance(failure, TimeoutError) else unreachable(who)
    code = failure.grpc_status_code
    if code is grpc.StatusCode.UNAVAILABLE:
        return unreachable(who)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return late(who)
    if code not in _STATUSES:
        return broken_off(who)
    return error_of(_STATUSES[code], who, _retry_after(failure))


def _retry_after(failure: exceptions.GoogleAPICallError) -> float | None:
    for detail in failure.details:
        if isinstance(detail, RetryInfo):
            return float(detail.retry_delay.seconds + detail.retry_delay.nanos / 1e9)
    return None
