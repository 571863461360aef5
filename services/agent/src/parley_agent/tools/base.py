"""What a tool is to the worker that runs it."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from parley import logs
from parley.faults import ProviderError
from parley.messages import ToolDescription
from parley.secret_refs import resolve
from parley.tools import Value

log = logs.get(__name__)

RESULT_CHARACTERS = 16_000
"""So much of what a tool gives is passed on to the model."""
CUT = "... (cut here: it is longer)"


class ToolFailed(Exception):
    """The tool did not do what was asked. The text is for the model."""


class Tool(ABC):
    """Something that a model can call. The one real method is `call`."""

    timeout_seconds = 5.0
    """So long a call may take."""
    filler = ""
    """What the bot may say while it runs."""
    filler_after_ms = 0
    may_repeat = False
    """Whether a call may be made again when its outcome is not known."""

    def __init__(self, description: ToolDescription) -> None:
        self.description = description

    @property
    def name(self) -> str:
        """What the model calls it."""
        return self.description.name

    @property
    def counted_as(self) -> str:
        """Its name in metrics: one of the few that the configuration has."""
        return self.name

    @abstractmethod
    async def call(self, arguments: dict[str, Any], key: str) -> str:
        """Do it; what it gives, for the model. Raises ToolFailed.

        `arguments` are valid. `key` is the same whenever the same call is made again.
        """

    def ends_reply(self, *, said: bool) -> bool:
        """Whether the model need not be asked again after this call. `said`: it has said
        something in this reply.
        """
        return False


def shortened(text: str, limit: int = RESULT_CHARACTERS) -> str:
    """The text, cut where it is longer than a model should read."""
    return text if len(text) <= limit else text[:limit] + CUT


class Secrets:
    """The values of headers or variables, looked up where the worker runs."""

    def __init__(self, values: Mapping[str, Value], who: str) -> None:
        self.values: dict[str, str] = {}
        """The values themselves."""
        self._secrets: list[str] = []
        for name, value in values.items():
            self.values[name] = value.text
            if value.secret is not None:
                secret = _looked_up(value.secret, who)
                self.values[name] += secret
                self._secrets.append(secret)

    def hidden_in(self, text: str) -> str:
        """The text without the secrets, should an answer repeat one."""
        if not self._secrets:
            return text
        return re.sub("|".join(map(re.escape, self._secrets)), "(secret)", text)


def _looked_up(reference: str, who: str) -> str:
    try:
        return resolve(reference, who)
    except ProviderError as error:
        log.warning("tool not usable", tool=who, reason=str(error))
        raise ToolFailed("It is not set up.") from None
