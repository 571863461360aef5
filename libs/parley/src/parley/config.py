"""Settings of a process, from the environment. Each is named PARLEY_<FIELD IN CAPITALS>."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceConfig(BaseSettings):
    """What every service can be told."""

    model_config = SettingsConfigDict(env_prefix="PARLEY_", extra="ignore")

    nats_url: str = "nats://127.0.0.1:4222"
    """Where NATS is; several servers of a cluster are separated by commas.

    With `tls://`, nothing is sent over a connection that is not encrypted.
    """

    nats_seed_file: Path | None = None
    """The file with the nkey seed by which this process logs in to NATS (`parley nats-keys`).

    It is read again for each connection.
    """

    nats_credentials: Path | None = None
    """A NATS credentials file (.creds) instead, for a server that works with JWTs."""

    nats_ca: Path | None = None
    """Certificates (PEM) of those who may have signed that of the NATS server.

    Default: the system's. It asks for TLS as `tls://` does.
    """

    nats_certificate: Path | None = None
    """The certificate (PEM) to show to a NATS server that wants one. It asks for TLS too."""

    nats_certificate_key: Path | None = None
    """The private key (PEM) of that certificate. Default: it is in the same file."""

    host: str = "127.0.0.1"
    """The address that the service's HTTP server listens on."""

    port: int = Field(default=0, ge=0, le=65535)
    """The port of the service's HTTP server (a worker's: /metrics, /healthz, /readyz). 0: any."""

    log_format: Literal["auto", "console", "json"] = "auto"
    """How log lines look; auto is `console` on a terminal, else `json`."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe log line that is written."""

    log_transcripts: bool = False
    """Write what callers and the bot say into the log."""

    traces: str = Field(default="", pattern=r"^(https?://.+)?$")
    """Where traces go: the base URL of a collector that takes OTLP over HTTP (docs/tracing.md).

    Default: what OTEL_EXPORTER_OTLP_ENDPOINT says; with neither, none are made.
    """


class WorkerConfig(ServiceConfig):
    """What every worker can be told besides."""

    capacity: int | None = Field(default=None, gt=0)
    """Jobs that the worker runs at once. Default: the service's own."""

    warm: str | None = None
    """Providers to load before capacity is offered, separated by commas.

    Default: the embedded one.
    """

    drain_seconds: float = Field(default=60.0, ge=0)
    """How long a worker that is told to stop lets its jobs go on."""

    def warm_providers(self, default: str) -> list[str]:
        """The names in `warm`, or the default."""
        text = default if self.warm is None else self.warm
        return [name.strip() for name in text.split(",") if name.strip()]
