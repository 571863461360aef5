"""What all cloud agents can be told, and how long they wait."""

from pydantic import Field

from parley.cloud import CloudSettings
from parley.providers import Patience

CONNECT_SECONDS = 3.0
"""A server that is there takes a connection in less."""
CLOSING_SECONDS = 0.25
"""What follows the end of a reply is waited for so long: it may say what the reply has cost, and
the connection can then be used again."""


class ChatSettings(CloudSettings):
    """Settings of a language model in the cloud. Keys in agents.yaml are camelCase: `maxTokens`."""

    base_url: str | None = Field(default=None, pattern=r"^https?://")
    """Another address of the API: a region, a proxy, a server of one's own."""

    max_tokens: int = Field(default=256, gt=0)
    """The longest reply, in tokens."""

    patience_seconds: float = Field(default=5.0, gt=0, le=60)
    """How long it may take to begin its reply, and fall silent in the middle of it."""

    def patience(self) -> Patience:
        """The longest silence that is not taken for a fault."""
        return Patience(first=self.patience_seconds, between=self.patience_seconds)
