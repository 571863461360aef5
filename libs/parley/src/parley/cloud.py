"""What all cloud providers can be told."""

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from parley.accounts import Account, Limits, account
from parley.providers import ProviderSettings
from parley.secret_refs import SecretRef, resolve


class CloudSettings(ProviderSettings):
    """Settings of a cloud provider. Keys in agents.yaml are camelCase: `baseUrl`.

    A provider gives `api_key` its default: `api_key: SecretRef = "env:DEEPGRAM_API_KEY"`.
    """

    model_config = ConfigDict(alias_generator=to_camel, validate_by_alias=True)

    api_key: SecretRef
    """Where the key is: `env:NAME` or `file:/path`."""

    base_url: str | None = Field(default=None, pattern=r"^(https?|wss?)://")
    """Another address of the API: a region, a proxy, a server of one's own."""

    requests_per_minute: int | None = Field(default=None, gt=0)
    """So many requests one worker process may begin in a minute. Default: no limit."""

    max_streams: int | None = Field(default=None, gt=0)
    """So many streams one worker process may have open at once. Default: no limit."""

    def key(self, who: str) -> str:
        """The key itself. Raises ProviderError where it is not to be found."""
        return resolve(self.api_key, who)

    def account(self, who: str) -> Account:
        """The account that the key opens, with its limits; shared by all of the process."""
        limits = Limits(self.requests_per_minute, self.max_streams)
        return account(who, f"{self.api_key} {self.base_url}", limits)
