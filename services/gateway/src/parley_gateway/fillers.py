"""When the bot says that it needs a moment. Pure."""

from dataclasses import dataclass

from parley.messages import ToolsCalled

CHECK_SECONDS = 0.1
"""How often it is looked whether the caller hears nothing."""


@dataclass(eq=False)
class Filler:
    """One round's filler: due once the caller has heard nothing for long enough."""

    text: str
    after_ms: float
    _quiet_since: float | None = None

    @classmethod
    def of(cls, message: ToolsCalled) -> "Filler | None":
        """What may be said while these calls are under way."""
        return cls(message.filler, message.filler_after_ms) if message.filler else None

    def is_due(self, now: float, *, quiet: bool) -> bool:
        """Whether to say it now (s). `quiet`: nothing is being said, or about to be."""
        if not quiet:
            self._quiet_since = None
            return False
        if self._quiet_since is None:
            self._quiet_since = now
        return (now - self._quiet_since) * 1000 >= self.after_ms
