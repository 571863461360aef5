"""One turn's reply: from the history to the segments that are spoken."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress

from parley.messages import ReplySpec, ReplyText
from parley.profiles import Profile
from parley.transcript import Transcript
from parley_gateway.jobs import JobChannel, JobLost
from parley_gateway.segments import Segmenter
from parley_gateway.timeline import Timeline


async def reply_segments(
    channel: JobChannel,
    turn: int,
    spec: ReplySpec,
    on_text: Callable[[str], None],
    timeline: Timeline,
) -> AsyncGenerator[str, None]:
    """Have an agent write the reply; yield its segments as each is complete.

    `on_text` is told each piece of text as it is generated. Raises JobLost.
    """
    clock = asyncio.get_running_loop().time
    segmenter = Segmenter()
    job = await channel.claim(turn, spec)
    async for item in job.output():
        if isinstance(item, ReplyText):
            timeline.mark("first_token", clock())
            on_text(item.text)
            for segment in segmenter.push(item.text):
                timeline.mark("first_sentence", clock())
                yield segment
    timeline.mark("reply_complete", clock())
    for segment in segmenter.flush():
        timeline.mark("first_sentence", clock())
        yield segment


async def buffered(segments: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
    """Delivery `full`: hold all segments back until the last one is there."""
    async with aclosing(segments):
        whole = [segment async for segment in segments]
    for segment in whole:
        yield segment


async def greeting_segments(text: str) -> AsyncGenerator[str, None]:
    """The greeting, as segments."""
    segmenter = Segmenter(first_clause=False)
    for segment in segmenter.push(text) + segmenter.flush():
        yield segment


async def prepare_agent(channel: JobChannel, profile: Profile, transcript: Transcript) -> None:
    """Have an agent get ready while the caller is greeted. No matter if none can."""
    spec = reply_spec(profile, transcript).model_copy(update={"prepare": True})
    if spec.history:
        with suppress(JobLost):
            await channel.claim(0, spec, patience=0)


def reply_spec(
    profile: Profile, transcript: Transcript, *, is_interrupt: bool = False
) -> ReplySpec:
    """What the agent needs to know."""
    return ReplySpec(
        provider=profile.llm_provider,
        settings=profile.llm,
        language=profile.language,
        history=transcript.to_messages(),
        is_interrupt=is_interrupt,
    )
