"""How much a client may send (pure)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CallLimits:
    """How long (s) a call may last, and how long a client may be silent."""

    call_seconds: float
    idle_seconds: float


class TokenBucket:
    """Admits `rate` a second on average, and `burst` at once."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._at: float | None = None

    def admits(self, now: float) -> bool:
        """Whether one more is within the limit; `now` (s) never goes back."""
        if self._at is not None:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
