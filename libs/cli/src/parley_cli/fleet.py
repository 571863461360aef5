"""The workers and gateways that were heard of lately, by what they say of themselves. Pure."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from parley.messages import WorkerStatus
from parley.operating import GatewayStatus
from parley.subjects import Stage

SILENT_SECONDS = 3.5
"""They speak each second: after so long, one is taken not to be there."""
FORGET_SECONDS = 30.0
"""A silent one is still shown for so long: it may be frozen, or its network away."""

Status = TypeVar("Status", WorkerStatus, GatewayStatus)


@dataclass(frozen=True)
class Seen(Generic[Status]):
    """What one of them said last, `ago` seconds ago."""

    status: Status
    ago: float

    @property
    def id(self) -> str:
        """Its id."""
        return id_of(self.status)

    @property
    def state(self) -> str:
        """What it said it was, or `silent`."""
        return self.status.state if self.ago < SILENT_SECONDS else "silent"


Process = Seen[WorkerStatus] | Seen[GatewayStatus]


def id_of(status: WorkerStatus | GatewayStatus) -> str:
    """Whose status it is."""
    return status.worker_id if isinstance(status, WorkerStatus) else status.gateway_id


class Fleet:
    """Told of each announcement; says who is there."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._workers: dict[str, tuple[float, WorkerStatus]] = {}
        self._gateways: dict[str, tuple[float, GatewayStatus]] = {}
        self.left: set[str] = set()
        """Those who have said that they go."""

    def note(self, status: WorkerStatus | GatewayStatus) -> None:
        """One has announced itself, or that it goes."""
        if isinstance(status, WorkerStatus):
            self._note(self._workers, status)
        else:
            self._note(self._gateways, status)

    def _note(self, known: dict[str, tuple[float, Status]], status: Status) -> None:
        if status.state == "gone":
            known.pop(id_of(status), None)
            self.left.add(id_of(status))
        else:
            known[id_of(status)] = (self._clock(), status)

    @property
    def workers(self) -> list[Seen[WorkerStatus]]:
        """By stage, then by id."""
        found = self._seen(self._workers)
        return sorted(found, key=lambda one: (list(Stage).index(one.status.stage), one.id))

    @property
    def gateways(self) -> list[Seen[GatewayStatus]]:
        """By id."""
        return sorted(self._seen(self._gateways), key=lambda one: one.id)

    @property
    def everyone(self) -> list[Process]:
        """The gateways, then the workers."""
        return [*self.gateways, *self.workers]

    def find(self, process_id: str) -> Process | None:
        """The one of that id."""
        return next((one for one in self.everyone if one.id == process_id), None)

    def _seen(self, known: dict[str, tuple[float, Status]]) -> list[Seen[Status]]:
        now = self._clock()
        found = [Seen(status, now - at) for at, status in known.values()]
        return [one for one in found if one.ago < FORGET_SECONDS]
