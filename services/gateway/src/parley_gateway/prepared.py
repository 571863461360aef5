"""Sentences that are spoken before they are needed, for when nobody can speak any more."""

import asyncio
import json
import secrets
from contextlib import aclosing
from dataclasses import dataclass

from parley import logs
from parley.frames import AudioFrame
from parley.messages import Speak, SpeakEnd, SpeechSpec
from parley.profiles import Profile
from parley.subjects import Stage
from parley_gateway.claims import claim
from parley_gateway.failover import Failover
from parley_gateway.jobs import JobChannel, JobLost, Pool

log = logs.get(__name__)

KEPT = 64
"""Sentences kept, each some 100 KB. When full, the oldest goes."""
WAITING = 32
"""Sentences that may wait to be spoken. More are left for the next call."""


@dataclass(frozen=True)
class Prepared:
    """A sentence and its speech, PCM16."""

    text: str
    pcm: bytes


class PreparedSpeech:
    """A gateway's prepared sentences, by voice and sample rate."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._kept: dict[str, Prepared] = {}
        self._wanted: asyncio.Queue[tuple[str, Profile, str, int]] = asyncio.Queue(WAITING)

    def get(self, profile: Profile, text: str, sample_rate: int) -> Prepared | None:
        """The sentence in the profile's voice, if it has been prepared."""
        return self._kept.get(_key(profile, text, sample_rate))

    def want(self, profile: Profile, text: str, sample_rate: int) -> None:
        """Have the sentence prepared, some time."""
        key = _key(profile, text, sample_rate)
        if text and key not in self._kept and not self._wanted.full():
            self._wanted.put_nowait((key, profile, text, sample_rate))

    async def run(self) -> None:
        """Prepare what is wanted, one after another, until cancelled."""
        while True:
            key, profile, text, sample_rate = await self._wanted.get()
            if key in self._kept:
                continue
            try:
                pcm = await self._speak(profile, text, sample_rate)
            except JobLost as lost:
                log.info("sentence not prepared", reason=str(lost))
                continue
            if len(self._kept) >= KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = Prepared(text, pcm)

    async def _speak(self, profile: Profile, text: str, sample_rate: int) -> bytes:
        channel = JobChannel(self._pool, Stage.TTS, f"prepare-{secrets.token_hex(4)}")
        failover = Failover(profile.candidates(Stage.TTS))
        await channel.open()
        try:
            while True:
                choice = failover.choice
                spec = SpeechSpec(
                    provider=choice.provider,
                    settings=choice.settings,
                    language=profile.language,
                    sample_rate=sample_rate,
                )
                try:
                    return await _spoken(channel, spec, text)
                except JobLost as lost:
                    if not failover.lost(lost):
                        raise
        finally:
            await channel.close()


async def _spoken(channel: JobChannel, spec: SpeechSpec, text: str) -> bytes:
    pcm = bytearray()
    job = await claim(channel, 0, spec, patience=0)
    await job.send(Speak, segment=0, text=text)
    await job.send(SpeakEnd)
    async with aclosing(job.output()) as output:
        async for item in output:
            if isinstance(item, AudioFrame):
                pcm += item.pcm
    return bytes(pcm)


def _key(profile: Profile, text: str, sample_rate: int) -> str:
    voice = profile.candidates(Stage.TTS)[0].model_dump()
    return json.dumps([voice, profile.language, text, sample_rate], sort_keys=True, default=str)
