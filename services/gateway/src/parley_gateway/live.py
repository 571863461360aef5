"""The calls that a gateway holds now, for whoever watches: `parley top`."""

import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from parley.operating import LiveCall
from parley_gateway.chronicle import Record

if TYPE_CHECKING:
    from parley_gateway.call import Call

REMEMBERED_SECONDS = 300.0
"""Turns of the last minutes count for what is told of latency ..."""
REMEMBERED_TURNS = 100
"""... and not more than so many."""

Standing = Callable[[], tuple[str, int]]
"""Whose turn it is, and the turn's number."""


class Watched:
    """What a call's events tell of it while it goes on."""

    def __init__(self, call: "Call", standing: Standing, answered: Callable[[float], None]) -> None:
        self._call = call
        self._standing = standing
        self._answered = answered
        self._failovers = 0
        self._voice_to_voice_ms: float | None = None
        self._recording: str | None = None

    def note(self, kind: str, fields: dict[str, Any]) -> None:
        """This has happened."""
        match kind:
            case "failover":
                self._failovers += 1
            case "recording":
                self._recording = fields["file"]
            case "turn" if (ms := fields.get("voice_to_voice_ms")) is not None:
                self._voice_to_voice_ms = ms
                self._answered(ms)

    def describe(self) -> LiveCall:
        """The call as it stands."""
        state, turn = self._standing()
        return LiveCall(
            id=self._call.id,
            agent=self._call.agent,
            age_seconds=max(time.time() - self._call.started_at, 0.0),
            state=state,
            turn=turn,
            epoch=self._call.epoch,
            failovers=self._failovers,
            voice_to_voice_ms=self._voice_to_voice_ms,
            recording=self._recording,
        )


class Live:
    """A gateway's calls, and how soon the latest turns were answered."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._calls: list[Watched] = []
        self._latest: deque[tuple[float, float]] = deque(maxlen=REMEMBERED_TURNS)

    def add(self, call: "Call", standing: Standing) -> Watched:
        """A call goes on, until `remove`."""
        watched = Watched(call, standing, self._answered)
        self._calls.append(watched)
        return watched

    def remove(self, watched: Watched) -> None:
        """That call is over."""
        self._calls.remove(watched)

    def calls(self) -> list[LiveCall]:
        """All of them, the oldest first."""
        return [one.describe() for one in self._calls]

    def voice_to_voice_ms(self) -> list[float]:
        """Of the turns of the last minutes, the newest last."""
        oldest = self._clock() - REMEMBERED_SECONDS
        return [ms for at, ms in self._latest if at >= oldest]

    def _answered(self, ms: float) -> None:
        self._latest.append((self._clock(), ms))


def noting(record: Record, watched: Watched) -> Record:
    """What records an event, and has it noted."""

    def both(kind: str, key: str, **fields: Any) -> None:
        watched.note(kind, fields)
        record(kind, key, **fields)

    return both
