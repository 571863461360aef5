"""Where each call stands, kept by NATS, so that another gateway can take it up.

Written in the background, the newest state of a call only, and under a revision: a write that
comes after another gateway has taken the call fails, and tells this one so.
"""

import asyncio
import random
import time

import nats.js.errors
from nats.js.api import StorageType, StreamConfig
from nats.js.kv import KeyValue

from parley import logs
from parley_gateway import metrics
from parley_gateway.call_record import BadRecord, CallRecord, ResumeToken, new_holder
from parley_gateway.jetstream import ERRORS, JetStream, answered
from parley_gateway.stored_call import REFRESHES, StoredCall

log = logs.get(__name__)

BUCKET = "parley_calls"
WRITERS = 8
"""Writes under way at once."""
RETRY_SECONDS = 0.5
TRIES = 10
"""How often a record is taken over from a gateway that goes on writing it."""
FLUSH_SECONDS = 1.0
"""How long this gateway's own last write of a call may hold up whoever resumes it."""
WRONG_REVISION = (10071, 10164)
"""The server's codes for: somebody has written since that revision."""


class Unavailable(Exception):
    """The store cannot be asked now."""


class UnknownCall(Exception):
    """No call of that name, secret and key: it is over, or out of time, or it never was."""


class Taken(Exception):
    """Another gateway has the call."""


def bucket_config(resume_seconds: float, replicas: int) -> StreamConfig:
    """The bucket as a stream. A record outlives its call's gateway by `resume_seconds` or more."""
    lives_seconds = resume_seconds * (1 + 1 / REFRESHES)
    return StreamConfig(
        name=f"KV_{BUCKET}",
        subjects=[f"$KV.{BUCKET}.>"],
        storage=StorageType.FILE,
        num_replicas=replicas,
        max_msgs_per_subject=1,
        max_age=lives_seconds,
        duplicate_window=min(lives_seconds, 120.0),
        allow_rollup_hdrs=True,
        deny_delete=True,
        # A follower's answer may be old; the leader's never is.
        allow_direct=False,
    )


class CallStore:
    """The records of all calls; `run` is the task that writes those of this gateway's calls."""

    def __init__(self, jetstream: JetStream, resume_seconds: float) -> None:
        self.resume_seconds = resume_seconds
        self._jetstream = jetstream
        self._bucket = KeyValue(
            BUCKET, f"KV_{BUCKET}", f"$KV.{BUCKET}.", jetstream.context, direct=False
        )
        self._calls: dict[str, StoredCall] = {}
        # Each call is in it once at most, so the calls bound it.
        self._due: asyncio.Queue[StoredCall] = asyncio.Queue()
        self._settled = asyncio.Event()
        self._settled.set()

    @property
    def available(self) -> bool:
        """Whether calls can be resumed here at all."""
        return self._jetstream.available

    def holds(self, conversation_id: str) -> bool:
        """Whether the call is one of this gateway's."""
        return conversation_id in self._calls

    def open(self, record: CallRecord, revision: int = 0) -> StoredCall:
        """Keep a call from here on; it is written once it `begin`s. `revision` 0: never yet."""
        call = StoredCall(record, revision, self.resume_seconds, self._due.put_nowait, self._forget)
        self._calls[record.conversation_id] = call
        self._settled.clear()
        return call

    async def flush(self) -> None:
        """Return once every call has been let go of, and that is stored."""
        await self._settled.wait()

    async def run(self) -> None:
        """Write what is due, until cancelled."""
        async with asyncio.TaskGroup() as writers:
            for _ in range(WRITERS):
                writers.create_task(self._write_on())

    # --- Taking over

    async def load(self, conversation_id: str) -> tuple[CallRecord, int]:
        """A call's record and its revision. Raises UnknownCall or Unavailable."""
        if not self._jetstream.ready:
            raise Unavailable("NATS keeps nothing now")
        try:
            entry = await answered(self._bucket.get(conversation_id))
            return CallRecord.decode(entry.value or b""), entry.revision or 0
        except nats.js.errors.KeyNotFoundError:
            raise UnknownCall(conversation_id) from None
        except BadRecord as error:
            log.warning("record not understood", conversation=conversation_id, reason=str(error))
            raise UnknownCall(conversation_id) from None
        except ERRORS as error:
            self._jetstream.report(error)
            raise Unavailable(str(error)) from None

    async def take_over(self, token: ResumeToken, key: str | None = None) -> StoredCall:
        """Make a call this gateway's, whoever holds it. Raises UnknownCall or Unavailable.

        `key`: the name of the API key of whoever asks.
        """
        await self._flush_own(token)
        for _ in range(TRIES):
            record, revision = await self.load(token.conversation_id)
            if not record.admits(token) or record.key != key:
                raise UnknownCall(token.conversation_id)
            ours = {"epoch": record.epoch + 1, "holder": new_holder()}
            taken = record.model_copy(update=ours)
            try:
                revision = await self._put(taken, revision)
            except nats.js.errors.KeyWrongLastSequenceError:
                continue  # Its gateway has written since; what it wrote is wanted.
            except ERRORS as error:
                self._jetstream.report(error)
                raise Unavailable(str(error)) from None
            if (before := self._calls.get(token.conversation_id)) is not None:
                before.lose()
            return self.open(taken, revision)
        raise Unavailable("the call's gateway writes on and on")

    async def _flush_own(self, token: ResumeToken) -> None:
        """What this gateway itself knows of the call is stored first, if it can be."""
        held = self._calls.get(token.conversation_id)
        if held is None or not held.record.admits(token):
            return
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                await held.flush()
        except TimeoutError:
            log.info("last state not stored in time", conversation=token.conversation_id)

    # --- Writing

    async def _write_on(self) -> None:
        while True:
            call = await self._due.get()
            if not call.gone:
                await self._write(call)

    async def _write(self, call: StoredCall) -> None:
        waiting, deleting, last = call.begin_write()
        began = time.monotonic()
        try:
            if not self._jetstream.ready:
                raise Unavailable
            await (self._delete(call) if deleting else self._store(call))
        except Taken:
            metrics.STORE_WRITES.labels("taken").inc()
            call.end_write(waiting, stored=False)
            call.lose()
        except (Unavailable, *ERRORS) as error:
            metrics.STORE_WRITES.labels("failed").inc()
            self._jetstream.report(error)
            log.debug("record not stored", conversation=call.id, reason=str(error))
            call.write_failed(waiting, RETRY_SECONDS * random.uniform(0.5, 1.5))
            if call.expired:
                call.drop()
        else:
            metrics.STORE_LATENCY.observe(time.monotonic() - began)
            metrics.STORE_WRITES.labels("deleted" if deleting else "stored").inc()
            call.end_write(waiting, stored=True)
            if last:
                call.drop()

    async def _store(self, call: StoredCall) -> None:
        """Write the newest state. Raises Taken or one of ERRORS."""
        while True:
            try:
                call.revision = await self._put(call.record, call.revision)
            except nats.js.errors.KeyWrongLastSequenceError:
                call.revision = await self._own_revision(call)
            else:
                return

    async def _delete(self, call: StoredCall) -> None:
        while True:
            call.revision = call.revision or await self._own_revision(call)
            if not call.revision:
                return
            try:
                await answered(self._bucket.delete(call.id, last=call.revision))
            except nats.js.errors.APIError as error:
                if error.err_code not in WRONG_REVISION:
                    raise
                call.revision = 0
            else:
                return

    async def _own_revision(self, call: StoredCall) -> int:
        """The revision of this session's latest write; 0 where the record has run out.

        A write whose answer was lost may have been done all the same: then the revision is
        not the one that is remembered, and still nobody else has the call.
        """
        try:
            entry = await answered(self._bucket.get(call.id))
        except nats.js.errors.KeyNotFoundError as missing:
            if missing.op is not None:
                raise Taken from None  # Deleted: another gateway has seen the call end.
            return 0
        try:
            holder = CallRecord.decode(entry.value or b"").holder
        except BadRecord:
            raise Taken from None  # A gateway of another version has written it.
        if holder != call.record.holder:
            raise Taken
        return entry.revision or 0

    async def _put(self, record: CallRecord, revision: int) -> int:
        key = record.conversation_id
        return await answered(self._bucket.update(key, record.encode(), last=revision))

    def _forget(self, call: StoredCall) -> None:
        if self._calls.get(call.id) is call:
            del self._calls[call.id]
        if not self._calls:
            self._settled.set()
