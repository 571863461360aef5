"""How a provider says that it could not do its work."""

from parley.messages import Retry


class ProviderError(Exception):
    """A provider could not do its work. The text is for people and holds no secret."""

    def __init__(
        self, reason: str, retry: Retry = Retry.NOW, *, retry_after: float | None = None
    ) -> None:
        super().__init__(reason)
        self.retry = retry
        self.retry_after = retry_after
        """With Retry.LATER: seconds until it is worth trying again, where the provider said so."""


class InputLost(ProviderError):
    """What the job needs never arrived. The job is lost, but no provider has failed."""
