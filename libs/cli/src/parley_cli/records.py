"""What NATS has kept of conversations, read by an operator: nothing but reading is asked of it."""

import asyncio
from collections.abc import AsyncIterator

from nats.errors import Error as NatsError
from nats.js.errors import APIError, NotFoundError, ServiceUnavailableError

from parley import subjects
from parley.bus import Bus
from parley.records import STREAM, BadEvent, Event, in_order
from parley_cli.errors import Failure, Usage

REQUEST_SECONDS = 5.0
BLOCK = 64
"""Events that are read at once, from the newest back."""
NOT_KEPT = "nothing is kept of what is said: the gateways have PARLEY_RECORD_HOURS=0, the default"
NO_JETSTREAM = "NATS keeps nothing now: it has no JetStream, or that has no leader"


class NotKept(Failure):
    """There are no records to be read."""


class Records:
    """Reads them; each method raises Failure where NATS does not answer, NotKept without any."""

    def __init__(self, bus: Bus) -> None:
        self._stream = bus.jetstream(REQUEST_SECONDS)

    async def conversation(self, conversation_id: str) -> list[Event]:
        """The events of a conversation, in order; none where nothing is kept of it."""
        try:
            subject = subjects.record(conversation_id)
        except ValueError as error:
            raise Usage(str(error)) from None
        await self._bounds()
        events, at = [], 1
        while (found := await self._get(at, subject)) is not None:
            seq, event = found
            at = seq + 1
            if event is not None:
                events.append(event)
        return in_order(events)

    async def newest_first(self) -> AsyncIterator[str]:
        """The ids of conversations, the one of which something was recorded last first."""
        first, last = await self._bounds()
        known = set()
        while last >= first:
            begin = max(last - BLOCK + 1, first)
            block = await asyncio.gather(*(self._get(seq) for seq in range(last, begin - 1, -1)))
            for _, event in filter(None, block):
                if event is not None and event.conversation_id not in known:
                    known.add(event.conversation_id)
                    yield event.conversation_id
            last = begin - 1

    async def _bounds(self) -> tuple[int, int]:
        try:
            state = (await self._stream.stream_info(STREAM)).state
        except NotFoundError:
            raise NotKept(NOT_KEPT) from None
        except ServiceUnavailableError:
            raise NotKept(NO_JETSTREAM) from None
        except (APIError, NatsError, OSError) as error:
            raise _unreadable(error) from None
        return state.first_seq, state.last_seq

    async def _get(self, seq: int, subject: str | None = None) -> tuple[int, Event | None] | None:
        """The event at `seq`, or the next one of `subject` from there; None for none."""
        try:
            found = await self._stream.get_msg(
                STREAM, seq=seq, subject=subject, direct=True, next=subject is not None
            )
        except NotFoundError:
            return None
        except (APIError, NatsError, OSError) as error:
            raise _unreadable(error) from None
        try:
            return found.seq or seq, Event.decode(found.data or b"")
        except BadEvent:
            return found.seq or seq, None


def _unreadable(error: Exception) -> Failure:
    reason = str(error) or type(error).__name__
    return Failure(f"the records cannot be read: {reason}")
