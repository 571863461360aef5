"""One turn's reply: from the history to the segments that are spoken."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

from parley.messages import ReplySpec, ReplyText
from parley.profiles import Profile, ProviderChoice
from parley.subjects import Stage
from parley.transcript import Transcript
from parley_gateway.claims import claim
from parley_gateway.failover import Failover
from parley_gateway.jobs import JobChannel, JobLost
from parley_gateway.segments import Segmenter
from parley_gateway.timeline import Timeline


@dataclass(eq=False)
class Reply:
    """Has agents write one turn's reply, until one has written all of it.

    `on_text` is told each piece of text as it is generated; `on_restart`, when an agent was
    lost, the text that stays: what was told after it is void. `given` holds the segments that
    were given to the voice: another agent only writes what comes after them, and after `before`,
    which was written in an earlier gateway's time.
    """

    channel: JobChannel
    profile: Profile
    turn: int
    transcript: Transcript
    timeline: Timeline
    on_text: Callable[[str], None]
    on_restart: Callable[[str, JobLost], None]
    is_interrupt: bool = False
    before: str = ""
    given: list[str] = field(default_factory=list)
    complete: bool = False

    async def segments(self) -> AsyncGenerator[str, None]:
        """Yield the reply's segments as each is complete. Raises JobLost."""
        failover = Failover(self.profile.candidates(Stage.AGENT))
        while not self.complete:
            try:
                async with aclosing(self._write(failover.choice)) as segments:
                    async for segment in segments:
                        self.given.append(segment)
                        yield segment
                self.complete = True
            except JobLost as lost:
                if not failover.lost(lost):
                    raise
                self.on_restart(self.written, lost)

    @property
    def written(self) -> str:
        """The text that nobody has to write again."""
        return " ".join(part for part in [self.before, *self.given] if part)

    async def _write(self, choice: ProviderChoice) -> AsyncGenerator[str, None]:
        clock = asyncio.get_running_loop().time
        segmenter = Segmenter(first_clause=not self.written)
        spec = reply_spec(
            choice,
            self.profile,
            self.transcript,
            is_interrupt=self.is_interrupt,
            written=self.written,
        )
        job = await claim(self.channel, self.turn, spec)
        async with aclosing(job.output()) as output:
            async for item in output:
                if isinstance(item, ReplyText):
                    self.timeline.mark("first_token", clock())
                    self.on_text(item.text)
                    for segment in segmenter.push(item.text):
                        self.timeline.mark("first_sentence", clock())
                        yield segment
        self.timeline.mark("reply_complete", clock())
        for segment in segmenter.flush():
            self.timeline.mark("first_sentence", clock())
            yield segment


async def buffered(segments: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
    """Delivery `full`: hold all segments back until the last one is there."""
    async with aclosing(segments):
        whole = [segment async for segment in segments]
    for segment in whole:
        yield segment


def segmented(text: str) -> list[str]:
    """Text that is there already, such as a greeting, as segments."""
    segmenter = Segmenter(first_clause=False)
    return segmenter.push(text) + segmenter.flush()


async def prepare_agent(channel: JobChannel, profile: Profile, transcript: Transcript) -> None:
    """Have an agent get ready while the caller is greeted. No matter if none can."""
    choice = profile.candidates(Stage.AGENT)[0]
    spec = reply_spec(choice, profile, transcript).model_copy(update={"prepare": True})
    if not spec.history:
        return
    with suppress(JobLost):
        job = await claim(channel, 0, spec, patience=0)
        async with aclosing(job.output()) as output:
            async for _ in output:
                pass


def reply_spec(
    choice: ProviderChoice,
    profile: Profile,
    transcript: Transcript,
    *,
    is_interrupt: bool = False,
    written: str = "",
) -> ReplySpec:
    """What the agent needs to know."""
    return ReplySpec(
        provider=choice.provider,
        settings=choice.settings,
        language=profile.language,
        history=transcript.to_messages(),
        is_interrupt=is_interrupt,
        written=written,
    )
