"""One caller's connection and the conversation on it, from the first word to the last."""

import asyncio
import random
import socket
import time
from collections.abc import Coroutine
from functools import partial

from parley import logs
from parley.messages import Retry
from parley_gateway import protocol
from parley_gateway.access.quotas import Lease
from parley_gateway.call import Call, Ending, Shared
from parley_gateway.conversation import Conversation
from parley_gateway.inbound import Inbound
from parley_gateway.jobs import JobLost
from parley_gateway.live import noting
from parley_gateway.protocol import ProtocolError, event
from parley_gateway.recordings import Recording
from parley_gateway.resume import TakenWatch
from parley_gateway.state import TalkState
from parley_gateway.stored_call import StoredCall
from parley_gateway.taped import Taped
from parley_gateway.websocket import INTERNAL_ERROR, Connection, Gone, HungUp

log = logs.get(__name__)

OPEN_SECONDS = 5.0
"""How long a call may wait for the first of its workers."""
STORE_SECONDS = 1.0
"""How long the end of a call, or its move, may wait for the store."""
SPREAD_SECONDS = 1.0
"""Calls that are asked to move do so within that time, not all at once."""
LOOK_SECONDS = 0.05
"""How often a call that is to move is asked whether it is quiet."""


class Session:
    """Runs one call over a connection. The first cause of an end is the one that counts."""

    def __init__(self, connection: Connection, call: Call, shared: Shared) -> None:
        self._connection = connection
        self._client = connection.client
        self._call = call
        self._stored = call.stored
        self._shared = shared
        self._live = shared.live.add(call, lambda: self._conversation.standing)
        self._record = noting(partial(shared.recorder.record, call.id), self._live)
        self._recording = None
        if shared.recordings is not None and call.profile.recording:
            rate = connection.client.format.sample_rate
            self._recording = shared.recordings.begin(call.id, call.epoch, rate)
        self._watch = call.stored and TakenWatch(shared.engine.bus, call.stored)
        self._conversation = Conversation(
            call.id,
            call.profile,
            Taped(connection.client, self._recording) if self._recording else connection.client,
            shared.engine,
            on_state=self._on_state,
            record=self._record,
            agent=call.agent,
            resumed=call.resumed,
        )
        self._opened = False

    @property
    def unserved(self) -> bool:
        """Whether it was a new call that found no worker."""
        return not (self._opened or self._call.resumed)

    async def run(self) -> str:
        """Hold the call to its end; the reason why it ended."""
        ending = Ending("cancelled")
        try:
            ending = await self._open() or await self._converse()
        except Exception:
            ending = self._fault()
        finally:
            await self._close(ending)
        return ending.reason

    # --- The beginning

    async def _open(self) -> Ending | None:
        """Find workers, and say that the call has begun; an ending where it cannot."""
        resumed = self._call.resumed is not None
        if self._watch and resumed:
            await self._watch.open()
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                await self._conversation.open()
        except TimeoutError:
            return self._ending(protocol.no_capacity("no worker was found in time"))
        except JobLost as lost:
            return self._ending(_refusal(lost))
        if self._watch and not resumed:
            await self._watch.open()
        if self._stored:
            self._stored.begin()
        self._opened = True
        self._record_opening()
        if self._recording is not None:
            self._record_recording(self._recording)
        self._say_ready()
        return None

    def _record_opening(self) -> None:
        call, audio = self._call, self._client.format
        if call.resumed:
            self._record("resumed", f"resumed-{call.epoch}", epoch=call.epoch)
            return
        self._record(
            "started",
            "started",
            agent=call.agent,
            api_key=call.lease.name if call.lease else None,
            sample_rate=audio.sample_rate,
            encoding=audio.encoding,
            resumable=call.stored is not None,
        )

    def _record_recording(self, recording: Recording) -> None:
        self._record(
            "recording",
            f"recording-{self._call.epoch}",
            file=recording.path.name,
            host=socket.gethostname(),
            begins_at=recording.began_at,
        )

    def _say_ready(self) -> None:
        audio = self._client.format
        self._client.send_event(
            event(
                "ready",
                conversation_id=self._call.id,
                resume_token=self._call.token,
                resume_seconds=self._shared.store.resume_seconds if self._stored else None,
                resumed=self._call.resumed is not None,
                audio_from_ms=self._call.audio_from_ms,
                agent=self._call.agent,
                sample_rate=audio.sample_rate,
                encoding=audio.encoding,
                recorded=self._recording is not None,
            )
        )

    # --- The call

    async def _converse(self) -> Ending:
        """Talk until the call, the client, its patience or the server ends."""
        on_audio = self._recording.caller if self._recording else None
        inbound = Inbound(self._client, self._conversation, on_audio)
        talk = asyncio.create_task(self._talk())
        watchers = [asyncio.create_task(one) for one in self._watchers(inbound)]
        tasks = [talk, *watchers]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            ending = next(task.result() for task in tasks if task in done)
            await self._let_go(ending, talking=not talk.done())
        finally:
            self._conversation.end()
            for task in watchers:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return ending

    def _watchers(self, inbound: Inbound) -> list[Coroutine[None, None, Ending]]:
        watchers = [self._read(inbound), self._write(), self._watch_overflow()]
        watchers += [self._watch_clock(inbound), self._watch_moving()]
        if self._call.lease:
            watchers.append(self._watch_lease(self._call.lease))
        return [*watchers, self._watch_taken(self._stored)] if self._stored else watchers

    async def _talk(self) -> Ending:
        ending = Ending("hang_up")
        try:
            ending = Ending(await self._conversation.run())
        except* JobLost as lost:
            ending = self._ending(_refusal(lost.exceptions[0]))
        except* Exception:
            ending = self._fault()
        return ending

    def _on_state(self, state: TalkState) -> None:
        if self._stored:
            self._stored.update(state)

    # --- What ends it

    async def _read(self, inbound: Inbound) -> Ending:
        try:
            while not await inbound.take(await self._connection.receive()):
                pass
        except HungUp:
            pass
        except Gone:
            return Ending("client_gone")
        except ProtocolError as error:
            return self._ending(error)
        return Ending("hang_up")

    async def _write(self) -> Ending:
        await self._connection.write()
        return Ending("client_gone")

    async def _watch_overflow(self) -> Ending:
        await self._client.outbox.overflowed.wait()
        return self._ending(protocol.client_too_slow())

    async def _watch_clock(self, inbound: Inbound) -> Ending:
        """Neither a call nor a client's silence lasts for ever."""
        clock, limits = asyncio.get_running_loop().time, self._shared.limits
        ends_at = clock() + limits.call_seconds - (time.time() - self._call.started_at)
        while True:
            gone_at = inbound.heard_at + limits.idle_seconds
            if clock() >= ends_at:
                return self._ending(protocol.too_long(limits.call_seconds))
            if clock() >= gone_at:
                return self._ending(protocol.client_gone(limits.idle_seconds))
            await asyncio.sleep(min(ends_at, gone_at) - clock())

    async def _watch_taken(self, stored: StoredCall) -> Ending:
        await stored.taken.wait()
        return self._ending(protocol.resumed_elsewhere())

    async def _watch_lease(self, lease: Lease) -> Ending:
        """The key's time may be used up, or the key taken away."""
        await lease.stopped.wait()
        return self._ending(lease.error or protocol.unauthorized())

    async def _watch_moving(self) -> Ending:
        """The call moves when it is quiet and its state is stored; at the latest, at the end."""
        await self._shared.moving.wait()
        stored, stopping = self._stored, self._shared.stopping
        await asyncio.sleep(random.uniform(0.0, SPREAD_SECONDS))
        while not stopping.is_set():
            if stored and self._conversation.quiet and await self._stored_now(stored):
                break
            await asyncio.sleep(LOOK_SECONDS)
        return self._ending(protocol.move_on(resumable=stored is not None))

    def _ending(self, error: ProtocolError) -> Ending:
        log.info("call ended", conversation=self._call.id, code=error.code, reason=str(error))
        return Ending(error.code, error)

    def _fault(self) -> Ending:
        log.exception("conversation failed", conversation=self._call.id)
        return self._ending(ProtocolError("internal_error", "internal error", INTERNAL_ERROR))

    # --- The end

    async def _let_go(self, ending: Ending, *, talking: bool) -> None:
        """Before the workers are told of the end: are they still this gateway's?"""
        stored = self._stored
        if stored and stored.taken.is_set():
            self._conversation.abandon()
        elif not ending.resumable:
            if talking:
                self._conversation.interrupt()  # What was heard of a reply is part of the call.
        elif not self._shared.engine.bus.connected:
            # The workers would hear it later, when they may be at work for another gateway.
            self._conversation.abandon()
        elif stored and talking:
            await self._stored_now(stored)
            if stored.taken.is_set():
                self._conversation.abandon()

    async def _stored_now(self, stored: StoredCall) -> bool:
        """Whether the call's state is stored, and the call still this gateway's."""
        stored.update(self._conversation.state())
        try:
            async with asyncio.timeout(STORE_SECONDS):
                return await stored.flush()
        except TimeoutError:
            return False

    async def _close(self, ending: Ending) -> None:
        """Everybody is told: the workers, the store, the record, and only then the client."""
        stored = self._stored
        self._shared.live.remove(self._live)
        if self._recording:
            self._recording.close()
        if stored and stored.taken.is_set():
            self._conversation.abandon()
        await self._conversation.close()
        if self._watch:
            await self._watch.close()
        self._keep(ending)
        await self._connection.close(ending.reason, ending.error)

    def _keep(self, ending: Ending) -> None:
        """What is left of the call: its record if it can be resumed, and the end on record."""
        stored, call = self._stored, self._call
        if stored and stored.taken.is_set():
            return
        if self._opened:
            self._record("ended", f"ended-{call.epoch}", epoch=call.epoch, reason=ending.reason)
        if stored and ending.resumable and (self._opened or call.resumed):
            stored.let_go(left=ending.by_client)
        elif stored:
            stored.delete()


def _refusal(lost: Exception) -> ProtocolError:
    if isinstance(lost, JobLost) and lost.retry is Retry.NEVER:
        return protocol.unusable_agent(str(lost))
    return protocol.no_capacity(str(lost))
