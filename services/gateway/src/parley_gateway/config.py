"""What the gateway can be told, besides what every service can: PARLEY_<FIELD IN CAPITALS>."""

from pathlib import Path

from pydantic import Field, SecretStr

from parley.config import ServiceConfig


class GatewayConfig(ServiceConfig):
    """Settings of the gateway."""

    port: int = Field(default=8080, ge=0, le=65535)
    """The port that callers connect to."""

    agents: Path | None = None
    """The agent profiles, agents.yaml. Default: one agent, `default`, on the embedded engines."""

    token: SecretStr | None = None
    """If set, callers must give it: `/conversation?token=...`."""

    token_file: Path | None = None
    """A file that holds the token, instead of PARLEY_TOKEN."""

    max_conversations: int = Field(default=200, gt=0)
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

    record_hours: float = Field(default=24.0, ge=0)
    """How long what was said in calls is kept, for GET /conversations/<id>. 0: it is not."""

    jetstream_replicas: int = Field(default=1, ge=1, le=5)
    """How many NATS servers keep each call's state and what was said in it: 3 in a cluster."""

    def required_token(self) -> str | None:
        """The token that callers must give; None where none is needed. Raises OSError."""
        if self.token_file is not None:
            return self.token_file.read_text(encoding="utf-8").strip()
        return self.token.get_secret_value() if self.token else None
