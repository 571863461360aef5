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

    drain_seconds: float = Field(default=60.0, ge=0)
    """How long calls may go on once the gateway is told to stop."""

    def required_token(self) -> str | None:
        """The token that callers must give; None where none is needed. Raises OSError."""
        if self.token_file is not None:
            return self.token_file.read_text(encoding="utf-8").strip()
        return self.token.get_secret_value() if self.token else None
