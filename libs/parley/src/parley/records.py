"""The events of conversations that NATS keeps, where it is told to: PARLEY_RECORD_HOURS."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import msgpack

STREAM = "PARLEY_RECORD"
VERSION = 1


class BadEvent(ValueError):
    """The bytes are not an event of this version."""


@dataclass(frozen=True)
class Event:
    """What happened in a conversation at `at` (s of Unix time); `key` is unique in it."""

    conversation_id: str
    key: str
    kind: str
    at: float
    fields: dict[str, Any]

    def encode(self) -> bytes:
        """The event as msgpack."""
        return bytes(msgpack.packb({"v": VERSION, **vars(self)}, default=str))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The event in `data`. Raises BadEvent."""
        try:
            fields = msgpack.unpackb(data)
            if fields.pop("v") != VERSION:
                raise BadEvent(f"not an event of version {VERSION}")
            return cls(*(fields[name] for name in cls.__dataclass_fields__))
        except BadEvent:
            raise
        except Exception as error:
            raise BadEvent(f"{type(error).__name__}: {error}") from error


def in_order(events: Iterable[Event]) -> list[Event]:
    """The events by time; of those with one key, the first that was recorded."""
    first: dict[str, Event] = {}
    for event in events:
        first.setdefault(event.key, event)
    return sorted(first.values(), key=lambda event: event.at)


def start_of(events: Iterable[Event]) -> Event | None:
    """Its beginning, if that is still kept."""
    return next((event for event in events if event.kind == "started"), None)


def end_of(events: Iterable[Event]) -> tuple[float | None, str | None]:
    """When and why it ended; a call that was resumed after that goes on. The events in order."""
    found = list(events)
    epoch = max((_epoch(event) for event in found if event.kind == "resumed"), default=0)
    for event in reversed(found):
        if event.kind == "ended" and _epoch(event) >= epoch:
            return event.at, str(event.fields.get("reason"))
    return None, None


def _epoch(event: Event) -> int:
    return int(event.fields.get("epoch", 0))
