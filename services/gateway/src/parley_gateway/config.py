"""What the gateway can be told, besides what every service can: PARLEY_<FIELD IN CAPITALS>."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from parley.api_keys import BadKeys, checked_origin
from parley.config import ServiceConfig


class GatewayConfig(ServiceConfig):
    """Settings of the gateway. One that is set to nothing is not set."""

    model_config = SettingsConfigDict(env_ignore_empty=True)

    port: int = Field(default=8080, ge=0, le=65535)
    """The port that callers connect to."""

    tls_certificate: Path | None = None
    """The certificate (PEM) by which callers reach the gateway over HTTPS and WSS.

    Default: plain HTTP, for loopback or behind a proxy that does the TLS.
    """

    tls_certificate_key: Path | None = None
    """The private key (PEM) of that certificate. Default: it is in the same file."""

    agents: Path | None = None
    """The agent profiles, agents.yaml. Default: one agent, `default`, on the embedded engines."""

    keys: Path | None = None
    """The file of API keys, keys.yaml (docs/security.md). It is read again when it changes.

    Default: none. Without PARLEY_TOKEN as well, everybody may call.
    """

    token: SecretStr | None = None
    """One key for all callers, without limits. Its name, in metrics, is `shared`."""

    token_file: Path | None = None
    """A file that holds the token, instead of PARLEY_TOKEN."""

    signing_secret: SecretStr | None = None
    """What signs the tokens that POST /tokens gives: 32 characters or more, the same for all
    gateways.

    Several are separated by spaces or lines: the first signs, each is good. Default: none is given.
    """

    signing_secret_file: Path | None = None
    """A file that holds it, instead of PARLEY_SIGNING_SECRET."""

    origins: str = ""
    """The web pages that may call, such as `https://shop.example`, separated by commas; `*`: all.

    Default: where keys are asked for, the gateway's own page; else all.
    """

    management_port: int | None = Field(default=None, ge=0, le=65535)
    """A port of its own for /metrics and /status, which then are not on the callers' port."""

    max_conversations: int = Field(default=80, gt=0)
    """Calls that this gateway holds at once."""

    hold_seconds: float = Field(default=2.0, ge=0)
    """How long NATS may be away before callers are told that their call is held."""

    drain_seconds: float = Field(default=60.0, ge=0)
    """How long calls may go on once the gateway is told to stop."""

    max_call_seconds: float = Field(default=14_400.0, gt=0)
    """How long a call may last."""

    idle_client_seconds: float = Field(default=60.0, gt=0)
    """A client that sends nothing at all for so long, not even a ping, is gone."""

    resume_seconds: float = Field(default=60.0, ge=5)
    """How long a call whose gateway or client is gone may be resumed."""

    record_hours: float = Field(default=0.0, ge=0)
    """How long what was said in calls is kept, for GET /conversations/<id>. 0: it is not."""

    recordings: Path | None = None
    """The folder for the sound of calls, a stereo WAV each. Default: it is not kept."""

    recordings_hours: float = Field(default=24.0, gt=0)
    """How long these files are kept."""

    jetstream_replicas: int = Field(default=1, ge=1, le=5)
    """How many NATS servers keep each call's state and what was said in it: 3 in a cluster."""

    def required_token(self) -> str | None:
        """The key that PARLEY_TOKEN is; None where there is none. Raises OSError or BadKeys."""
        return _secret(self.token, self.token_file)

    def signing_secrets(self) -> list[str]:
        """What signs tokens, if anything. Raises OSError or BadKeys."""
        return (_secret(self.signing_secret, self.signing_secret_file) or "").split()

    def allowed_origins(self) -> list[str] | None:
        """What PARLEY_ORIGINS lists; None where it lists nothing. Raises BadKeys."""
        listed = [one.strip().rstrip("/") for one in self.origins.split(",") if one.strip()]
        try:
            return [checked_origin(one) for one in listed] or None
        except ValueError as error:
            raise BadKeys(f"PARLEY_ORIGINS: {error}") from None


def _secret(value: SecretStr | None, file: Path | None) -> str | None:
    if file is None:
        return value.get_secret_value() if value else None
    if text := file.read_text(encoding="utf-8").strip():
        return text
    raise BadKeys(f"{file} is empty: a secret was to be in it")
