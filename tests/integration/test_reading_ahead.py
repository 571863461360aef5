"""What an agent is given to read while the caller still speaks, over a real NATS server."""

import asyncio

from parley import job as worker_job
from parley.bus import Bus
from parley.messages import JobRequest, ReplySpec, Retry
from parley.profiles import Profile
from parley.providers import ProviderError
from parley.transcript import Transcript
from parley.worker import JobRun
from parley_gateway.reading_ahead import ReadingAhead
from support.working import Handler, channel, working


class Reader(Handler):
    """Reads whatever it is given, and remembers the last words of each."""

    def __init__(self, refusal: ProviderError | None = None) -> None:
        super().__init__(self._done, refusal)
        self.read: list[str] = []

    def open(self, request: JobRequest) -> JobRun:
        spec = ReplySpec.model_validate(request.spec)
        assert spec.prepare and spec.ahead
        self.read.append(spec.history[-1].content)
        return super().open(request)

    async def _done(self, job: worker_job.Job) -> None:
        pass


async def reads(
    bus: Bus, reader: Reader, *heard: tuple[str, float], profile: Profile | None = None
) -> list[str]:
    """What is read of these words, up to those positions, with voice up to 1000 ms."""
    transcript = Transcript("Be brief.")
    async with working(bus, reader), channel(bus) as agent:
        for said, covered_ms in heard:
            async with asyncio.TaskGroup() as tasks:
                ahead = ReadingAhead(agent, profile or Profile(), transcript, tasks)
                ahead.voiced(1000)
                ahead.heard(1, said, covered_ms)
                ahead.heard(1, said, covered_ms)
    assert [one.text for one in transcript.entries] == []
    return reader.read


async def test_what_is_said_so_far_is_read_once(bus: Bus) -> None:
    found = await reads(bus, Reader(), ("what is", 900), ("what is the capital", 1080))
    assert found == ["what is", "what is the capital"]


async def test_words_after_which_there_was_no_voice_wait_for_the_reply(bus: Bus) -> None:
    assert await reads(bus, Reader(), ("what is the capital of France", 1100)) == []


async def test_nothing_is_read_where_replies_are_not_begun_early(bus: Bus) -> None:
    late = Profile.model_validate({"earlyReply": False})
    assert await reads(bus, Reader(), ("what is", 900), profile=late) == []


async def test_an_agent_that_does_not_read_ahead_is_asked_once(bus: Bus) -> None:
    reader = Reader(ProviderError("it does not read ahead", Retry.NEVER))
    async with working(bus, reader), channel(bus) as agent:
        async with asyncio.TaskGroup() as tasks:
            ahead = ReadingAhead(agent, Profile(), Transcript(), tasks)
            ahead.heard(1, "what is", 0)
        ahead.heard(1, "what is the capital", 0)
    assert reader.read == ["what is"]
