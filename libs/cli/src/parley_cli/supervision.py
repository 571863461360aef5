"""When a service that died is started again. Pure decisions; `process` does the work."""

from dataclasses import dataclass

FIRST_DELAY = 0.5
LONGEST_DELAY = 10.0
FORGIVEN_AFTER = 30.0
"""Seconds. A service that lived so long was well: its next death counts as the first."""

FALSE_STARTS = 3
"""After so many deaths in a row before it was ever ready, another start will hardly help."""


@dataclass
class Restarts:
    """The restarts of one service."""

    count: int = 0
    """Deaths so far."""

    false_starts: int = 0
    """Deaths in a row before the service was ready."""

    _delay: float = FIRST_DELAY

    def after_death(self, alive_seconds: float, was_ready: bool) -> float:
        """Seconds to wait before the service is started again."""
        self.count += 1
        self.false_starts = 0 if was_ready else self.false_starts + 1
        if alive_seconds >= FORGIVEN_AFTER:
            self._delay = FIRST_DELAY
        delay = self._delay
        self._delay = min(delay * 2, LONGEST_DELAY)
        return delay

    @property
    def hopeless(self) -> bool:
        """Whether the service only ever dies while it starts."""
        return self.false_starts >= FALSE_STARTS
