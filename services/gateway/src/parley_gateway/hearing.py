"""The caller's audio on its way to a transcriber, for as long as the call lasts."""

import asyncio
from collections.abc import Callable

from parley import logs
from parley.audio import bytes_for, duration_ms
from parley.messages import HearingSpec, JobMessage, Retry
from parley.profiles import Profile
from parley_gateway.arrivals import Arrivals
from parley_gateway.jobs import Job, JobChannel, JobLost, NoCapacity

log = logs.get(__name__)

CHUNK_MS = 20
"""Audio goes to the worker in pieces of this length at least, however the client cuts it."""
LONGEST_CHUNK_MS = 200
RECLAIM_PATIENCE_SECONDS = 15.0
"""How long a call may be without a transcriber before it ends."""

Listener = Callable[[JobMessage], None]


class Hearing:
    """One call's hearing: the job, found again when it is lost, and the audio sent to it."""

    def __init__(self, channel: JobChannel, profile: Profile, sample_rate: int) -> None:
        self.arrivals = Arrivals()
        self._channel = channel
        self._rate = sample_rate
        self._chunk = bytes_for(CHUNK_MS, sample_rate)
        self._longest = bytes_for(LONGEST_CHUNK_MS, sample_rate)
        self._waiting = bytearray()
        self._position = 0
        self._job: Job | None = None
        self._spec = HearingSpec(
            provider=profile.transcriber_provider,
            settings=profile.transcriber,
            language=profile.language,
            sample_rate=sample_rate,
            endpointing_ms=profile.endpointing_ms,
        )

    async def open(self) -> None:
        """Find a transcriber. Raises NoCapacity or JobLost."""
        self._job = await self._channel.claim(0, self._spec)

    async def run(self, listener: Listener) -> None:
        """Tell `listener` what is heard, to the call's end. Raises JobLost when hearing is lost."""
        while self._job is not None:
            try:
                async for item in self._job.output():
                    if isinstance(item, JobMessage):
                        listener(item)
                raise JobLost(self._channel.stage, "the transcriber ended before the call did")
            except JobLost as lost:
                if lost.retry is Retry.NEVER or isinstance(lost, NoCapacity):
                    raise
                log.warning(
                    "hearing lost, looking for another transcriber",
                    conversation=self._channel.conversation_id,
                    reason=str(lost),
                )
                await self._job.cancel()
                self._job = await self._channel.claim(
                    0,
                    self._spec,
                    first_attempt=self._job.attempt + 1,
                    patience=RECLAIM_PATIENCE_SECONDS,
                )

    async def push(self, pcm: bytes) -> None:
        """Send on the caller's PCM16, in pieces of a useful size."""
        self._waiting += pcm
        while len(self._waiting) >= self._chunk:
            size = min(len(self._waiting) // self._chunk * self._chunk, self._longest)
            chunk = bytes(self._waiting[:size])
            del self._waiting[:size]
            position, self._position = self._position, self._position + size // 2
            end_ms = duration_ms(self._position * 2, self._rate)
            self.arrivals.add(end_ms, asyncio.get_running_loop().time())
            if self._job is not None:
                await self._job.send_audio(position, chunk)
