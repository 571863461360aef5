"""What a session begins with, what it shares with the others, and how it ends."""

import asyncio
from dataclasses import dataclass, field

from parley.profiles import Profile
from parley_gateway.access.quotas import Lease
from parley_gateway.conversation import Engine
from parley_gateway.limits import CallLimits
from parley_gateway.live import Live
from parley_gateway.protocol import ProtocolError
from parley_gateway.recorder import Recorder
from parley_gateway.recordings import Recordings
from parley_gateway.resume import Resumed
from parley_gateway.store import CallStore
from parley_gateway.stored_call import StoredCall

RESUMABLE = (
    "client_gone", "client_too_slow", "draining", "no_capacity", "internal_error", "cancelled"
)  # fmt: skip
"""Ends of a connection, or of what this gateway can do, that need not be the call's."""


@dataclass(frozen=True)
class Shared:
    """What the sessions of a gateway share. `moving` asks calls to move, `stopping` ends them.

    `recordings` is None where no sound is kept.
    """

    engine: Engine
    store: CallStore
    recorder: Recorder
    limits: CallLimits
    recordings: Recordings | None = None
    live: Live = field(default_factory=Live)
    moving: asyncio.Event = field(default_factory=asyncio.Event)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Call:
    """What a session begins with. `stored` and `token`: only where it can be resumed.

    `lease`: of the API key that it is counted for, where keys are asked for.
    """

    id: str
    agent: str
    profile: Profile
    started_at: float
    token: str | None = None
    stored: StoredCall | None = None
    resumed: Resumed | None = None
    lease: Lease | None = None

    @property
    def audio_from_ms(self) -> float:
        """The position in the call's audio from which the client sends."""
        return self.resumed.audio_from_ms if self.resumed else 0.0

    @property
    def epoch(self) -> int:
        """How many gateways have held the call before."""
        return self.resumed.epoch if self.resumed else 0


@dataclass(frozen=True)
class Ending:
    """Why a session is over; `error`: what the client is told of it."""

    reason: str
    error: ProtocolError | None = None

    @property
    def resumable(self) -> bool:
        """Whether the call may go on at another gateway."""
        return self.reason in RESUMABLE

    @property
    def by_client(self) -> bool:
        """Whether the client is to blame."""
        return self.reason in ("client_gone", "client_too_slow")
