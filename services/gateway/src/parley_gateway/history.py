"""What was recorded of a conversation, read again and put in order."""

import asyncio
import time
from typing import Any

from nats.js.errors import NotFoundError

from parley import logs, subjects
from parley.records import STREAM, BadEvent, Event, end_of, in_order, start_of
from parley_gateway.jetstream import ERRORS, JetStream, answered
from parley_gateway.store import CallStore, Unavailable, UnknownCall

log = logs.get(__name__)

READERS = 4
"""Conversations that are read at once: reading must not disturb the calls."""
READ_SECONDS = 20.0
SPEAKERS = {"user": "human", "bot": "bot"}
"""What kinds of events are parts of the transcript, and who speaks."""
LOST = "lost"
"""The reason of an end that nobody saw: the gateway died and nobody resumed the call."""


class History:
    """Reads conversations back, from any gateway."""

    def __init__(self, jetstream: JetStream, store: CallStore) -> None:
        self._jetstream = jetstream
        self._store = store
        self._turnstile = asyncio.Semaphore(READERS)

    async def conversation(self, conversation_id: str, owner: str | None = None) -> dict[str, Any]:
        """The conversation, for people and programs; with `owner` only if that key has made it.

        Raises ValueError for what is no conversation's id, UnknownCall, or Unavailable.
        """
        subject = subjects.record(conversation_id)
        try:
            async with asyncio.timeout(READ_SECONDS), self._turnstile:
                found = in_order(await self._events(subject))
                if not found or (owner is not None and owner_of(found) != owner):
                    raise UnknownCall(conversation_id)
                old = time.time() - found[-1].at > self._store.resume_seconds
                lost = old and unfinished(found) and not await self._is_stored(conversation_id)
        except TimeoutError:
            raise Unavailable("the record could not be read in time") from None
        return view(conversation_id, found, lost=lost)

    async def _is_stored(self, conversation_id: str) -> bool:
        try:
            await self._store.load(conversation_id)
        except UnknownCall:
            return False
        return True

    async def _events(self, subject: str) -> list[Event]:
        if not self._jetstream.ready:
            raise Unavailable("NATS keeps nothing now")
        try:
            return await self._fetch(subject)
        except ERRORS as error:
            self._jetstream.report(error)
            raise Unavailable(str(error)) from None

    async def _fetch(self, subject: str) -> list[Event]:
        # One by one, but from any server that holds the stream. A consumer would be quicker, and
        # while a server of the cluster is down, every third one is put there and never answers.
        events: list[Event] = []
        next_seq = 1
        while True:
            try:
                found = await answered(
                    self._jetstream.context.get_msg(
                        STREAM, seq=next_seq, subject=subject, direct=True, next=True
                    )
                )
            except NotFoundError:
                return events
            next_seq = (found.seq or 0) + 1
            if (event := _decoded(found.data or b"")) is not None:
                events.append(event)


def view(conversation_id: str, events: list[Event], *, lost: bool = False) -> dict[str, Any]:
    """What `GET /conversations/<id>` says. `lost`: nobody has the call, though none saw it end."""
    started = start_of(events)
    ended_at, reason = end_of(events)
    if lost:
        ended_at, reason = events[-1].at, LOST
    return {
        "conversation_id": conversation_id,
        "agent": started.fields.get("agent") if started else None,
        "started_at": started.at if started else None,
        "ended_at": ended_at,
        "ended_reason": reason,
        "transcript": _transcript(events),
        "events": [
            {"kind": event.kind, "key": event.key, "at": event.at, **event.fields}
            for event in events
            if event.kind not in SPEAKERS
        ],
    }


def owner_of(events: list[Event]) -> str | None:
    """The name of the API key that began the conversation, if it was one and is on record."""
    started = start_of(events)
    return started.fields.get("api_key") if started else None


def unfinished(events: list[Event]) -> bool:
    """Whether nobody saw it end. If it is not in the store either, nobody will."""
    started = start_of(events)
    resumable = started is not None and bool(started.fields.get("resumable"))
    return resumable and end_of(events)[0] is None


def _transcript(events: list[Event]) -> list[dict[str, Any]]:
    """What was said, by turns; of a turn that was recorded twice, the later."""
    entries = {}
    for event in events:
        if (speaker := SPEAKERS.get(event.kind)) is None:
            continue
        turn = int(event.fields.get("turn", 0))
        entries[turn, speaker == "bot"] = {
            "turn": turn,
            "speaker": speaker,
            "text": event.fields.get("text", ""),
            "cut_off": bool(event.fields.get("cut_off", False)),
            "at": event.at,
        }
    return [entries[place] for place in sorted(entries)]


def _decoded(data: bytes) -> Event | None:
    try:
        return Event.decode(data)
    except BadEvent as error:
        log.warning("event not understood", reason=str(error))
        return None
