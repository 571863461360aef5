"""What came of one call, as the caller's device has it."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parley_cli.events import Event
from parley_cli.reconnect import Reconnect
from parley_cli.wav import Samples


@dataclass(frozen=True)
class Floor:
    """A time (s) in which the bot has the floor: from a question's end to its answer's."""

    begin: float
    end: float


@dataclass
class Take:
    """What came of one call. Times are of time.monotonic."""

    barge_in: bool
    """Whether the second question cut the first answer off."""
    sample_rate: int
    events: list[Event] = field(default_factory=list)
    floors: list[Floor] = field(default_factory=list)
    caller_audio: Samples = field(default_factory=lambda: np.zeros(0, np.int16))
    bot_audio: Samples = field(default_factory=lambda: np.zeros(0, np.int16))
    """What the device played, from `started_at` on."""
    started_at: float = 0.0
    lost: str = ""
    """Why the call did not come to its end; empty if it did."""
    reconnects: list[Reconnect] = field(default_factory=list)
    """When (s) the connection was lost, and when it was there again."""
    history: list[dict[str, Any]] | None = None
    """The transcript that a gateway gives; None where it was not asked."""

    @property
    def conversation(self) -> str:
        """The conversation's id; empty if the call was not taken."""
        return next((str(one.data["conversation_id"]) for one in self.of("ready")), "")

    def of(self, kind: str, **fields: object) -> list[Event]:
        """The events of that kind with those fields."""
        return [
            one for one in self.events if one.type == kind and fields.items() <= one.data.items()
        ]
