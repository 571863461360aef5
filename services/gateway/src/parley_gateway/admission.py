"""Who is let in: decided once, without waiting, and the line is taken in the same step."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Iterator, Mapping

from parley.bus import Bus
from parley.profiles import Profile, Profiles
from parley_gateway import metrics, protocol
from parley_gateway.access.access import Access, Entry
from parley_gateway.access.door import Grant, Visitor
from parley_gateway.call import Call
from parley_gateway.call_record import CallRecord, ResumeToken, new_holder
from parley_gateway.protocol import AudioFormat, ResumeRequest
from parley_gateway.resume import Resumed
from parley_gateway.store import CallStore, Unavailable, UnknownCall
from parley_gateway.workers import Workers

RESUME_SECONDS = 3.0
"""How long the store may take to hand over a call."""


class Admission:
    """The lines of this gateway, and what a call begins with."""

    def __init__(
        self,
        bus: Bus,
        workers: Workers,
        profiles: Profiles,
        store: CallStore,
        *,
        max_conversations: int,
        access: Access,
    ) -> None:
        self.active = 0
        self.accepting = True
        self.idle = asyncio.Event()
        self.idle.set()
        self.max = max_conversations
        metrics.CONVERSATIONS_CAPACITY.set(max_conversations)
        self._bus = bus
        self._workers = workers
        self._profiles = profiles
        self._store = store
        self.access = access

    @property
    def agents(self) -> frozenset[str]:
        """The names of all that can be called here."""
        return frozenset(self._profiles.agents)

    @contextlib.contextmanager
    def line(self, visitor: Visitor, query: Mapping[str, str]) -> Iterator[Entry]:
        """A line for a caller, for as long as it is held. Raises ProtocolError."""
        resuming = "resume" in query
        with self.access.admit(visitor, resuming=resuming) as entry:
            held = resuming and self._store.holds(query["resume"].partition(".")[0])
            # Who comes back to the gateway that still holds the call needs no second line.
            self._check_room(1 if held else 0)
            self._count(+1)
            try:
                yield entry
            finally:
                self._count(-1)

    def _check_room(self, besides: int) -> None:
        if not self.accepting:
            raise protocol.draining()
        if self.active >= self.max + besides:
            raise protocol.no_capacity(f"all {self.max} lines of this server are taken")
        if not self._bus.connected:
            raise protocol.no_capacity("the engine has lost its message bus")
        if missing := self._workers.missing():
            raise protocol.no_capacity(f"no worker is there for: {', '.join(missing)}")

    def _count(self, change: int) -> None:
        self.active += change
        metrics.CONVERSATIONS.set(self.active)
        if self.active:
            self.idle.clear()
        else:
            self.idle.set()

    # --- What the call begins with

    async def call(self, query: Mapping[str, str], entry: Entry) -> tuple[Call, AudioFormat]:
        """The call that the query asks for, new or resumed. Raises ProtocolError."""
        if "resume" not in query:
            found = await self._new_call(query, entry.grant)
        else:
            found = await self._old_call(query, entry)
        found[0].lease = entry.lease
        return found

    async def _old_call(self, query: Mapping[str, str], entry: Entry) -> tuple[Call, AudioFormat]:
        try:
            found = await self._resumed_call(protocol.parse_resume(query), entry)
        except UnknownCall:
            metrics.RESUMES.labels("not_resumable").inc()
            raise protocol.not_resumable() from None
        except (Unavailable, TimeoutError):
            metrics.RESUMES.labels("unavailable").inc()
            raise protocol.no_capacity("what was stored of calls is not at hand") from None
        metrics.RESUMES.labels("resumed").inc()
        return found

    async def _new_call(self, query: Mapping[str, str], grant: Grant) -> tuple[Call, AudioFormat]:
        audio = protocol.parse_format(
            query.get("sample_rate", "16000"), query.get("encoding", "linear16")
        )
        agent = grant.agent(query.get("agent"))
        profile = self._profile(agent, grant)
        await self.access.begin(grant)
        call = Call(secrets.token_hex(8), agent, profile, time.time())
        if self._store.available:
            token = ResumeToken.new(call.id)
            record = CallRecord(
                conversation_id=call.id,
                agent=agent,
                key=grant.name,
                sample_rate=audio.sample_rate,
                encoding=audio.encoding,
                secret_sha256=token.digest,
                started_at=call.started_at,
                holder=new_holder(),
            )
            call.token, call.stored = str(token), self._store.open(record)
        return call, audio

    async def _resumed_call(self, request: ResumeRequest, entry: Entry) -> tuple[Call, AudioFormat]:
        async with asyncio.timeout(RESUME_SECONDS):
            stored = await self._store.take_over(request.token, entry.grant.name)
        record = stored.record
        try:
            profile = self._profile(record.agent, entry.grant)
            if record.left:
                self.access.come_back(entry)
        except BaseException:
            stored.let_go()
            raise
        call = Call(
            record.conversation_id,
            record.agent,
            profile,
            record.started_at,
            token=str(request.token),
            stored=stored,
            resumed=Resumed(
                record.state,
                record.epoch,
                audio_from_ms=max(request.audio_ms, record.state.understood_ms),
                heard=request.heard,
            ),
        )
        return call, AudioFormat(record.sample_rate, record.encoding)

    def _profile(self, agent: str, grant: Grant) -> Profile:
        profile = self._profiles.get(agent)
        if profile is None or not grant.admits(agent):
            known = [name for name in sorted(self._profiles.agents) if grant.admits(name)]
            raise protocol.unknown_agent(agent, known)
        return profile
