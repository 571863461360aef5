"""One turn's reply: from the history to the segments that are spoken."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

from parley import tools
from parley.messages import ReplySpec, ReplyText, ToolReturned, ToolsCalled
from parley.profiles import Profile, ProviderChoice
from parley.subjects import Stage
from parley.transcript import Transcript
from parley_gateway.claims import claim
from parley_gateway.failover import Failover
from parley_gateway.fillers import CHECK_SECONDS, Filler
from parley_gateway.jobs import Job, JobChannel, JobLost, Wake
from parley_gateway.segments import Segmenter
from parley_gateway.timeline import Timeline
from parley_gateway.tool_calls import ToolCalls
from parley_gateway.tool_events import ToolEvents


class Aside(str):
    """A segment that the model has not written."""

    __slots__ = ()


@dataclass(eq=False)
class Reply:
    """Has agents write one turn's reply, until one has written all of it.

    `on_text` is told each piece of text as it is generated; `on_restart`, when an agent was
    lost, the text that stays: what was told after it is void. `given` holds the segments that
    were given to the voice: another agent only writes what comes after them, and after `before`,
    which was written in an earlier gateway's time. So with the `calls` of tools.

    While it is `held`, no tool is run. `is_quiet` says whether the caller hears nothing of this
    reply, and is not about to.
    """

    channel: JobChannel
    profile: Profile
    turn: int
    transcript: Transcript
    timeline: Timeline
    on_text: Callable[[str], None]
    on_restart: Callable[[str, JobLost], None]
    tool_events: ToolEvents
    is_quiet: Callable[[], bool]
    is_interrupt: bool = False
    before: str = ""
    held: bool = False
    calls: ToolCalls = field(default_factory=ToolCalls)
    given: list[str] = field(default_factory=list)
    complete: bool = False

    def __post_init__(self) -> None:
        self._clock = asyncio.get_running_loop().time
        self._job: Job | None = None
        self._holding = self.held
        self._released = asyncio.Event()
        self._filler: Filler | None = None
        self._filled_with = ""
        self._told = ""
        if not self.held:
            self._released.set()

    async def segments(self) -> AsyncGenerator[str, None]:
        """Yield the reply's segments as each is complete. Raises JobLost."""
        failover = Failover(self.profile.candidates(Stage.AGENT))
        while not self.complete:
            if self.calls.held_back:
                await self._released.wait()
            try:
                async with aclosing(self._write(failover.choice)) as segments:
                    async for segment in segments:
                        self.given.append(segment)
                        yield segment
                self.complete = not self.calls.held_back
            except JobLost as lost:
                if not failover.lost(lost):
                    raise
                self.on_restart(self.text, lost)
                self._told = ""

    def release(self) -> None:
        """The turn is certain: what tools do may be done."""
        self.held = False
        self._released.set()

    @property
    def text(self) -> str:
        """The text that nobody has to write again."""
        return " ".join(part for part in [self.before, *self.given] if part)

    def stop(self) -> None:
        """Nothing more is read of it, but for the tools that are known to have been called."""
        for item in self._job.unread() if self._job is not None else []:
            match item:
                case ToolsCalled():
                    self.calls.called(item, self.text, begun=not self._holding)
                case ToolReturned():
                    self.calls.returned(item)

    async def _write(self, choice: ProviderChoice) -> AsyncGenerator[str, None]:
        held = self._holding = self.held
        span = self.timeline.attempt(Stage.AGENT, choice.provider)
        job = self._job = await claim(self.channel, self.turn, self._spec(choice), span=span)
        segmenter = Segmenter(first_clause=not self._written)
        if not held:
            self.tool_events.called(self.calls.begin())
            self._watch_silence(job)
        async with aclosing(job.output()) as output:
            async for item in output:
                match item:
                    case ReplyText():
                        self.timeline.mark("first_token", self._clock())
                        self._tell(item.text)
                        for segment in segmenter.push(item.text):
                            yield self._segment(segment)
                    case ToolsCalled():
                        for segment in segmenter.flush():
                            yield self._segment(segment)
                        segmenter = Segmenter()
                        self._called(item, job, begun=not held)
                    case ToolReturned():
                        self._returned(item)
                    case Wake() if self._needs_filler(job):
                        yield self._fill()
        self.timeline.mark("reply_complete", self._clock())
        for segment in segmenter.flush():
            yield self._segment(segment)

    def _spec(self, choice: ProviderChoice) -> ReplySpec:
        spec = reply_spec(choice, self.profile, self.transcript)
        return spec.model_copy(
            update={
                "history": [*spec.history, *self.calls.messages(self.text)],
                "is_interrupt": self.is_interrupt,
                "written": self._written,
                "hold_tools": self.held,
                "begun": self.calls.begun,
            }
        )

    @property
    def _written(self) -> str:
        """What the model has written since it called tools last."""
        return self.calls.written_since(self.text).removeprefix(self._filled_with).lstrip()

    def _tell(self, text: str) -> None:
        self._told = text[-1:]
        self.on_text(text)

    def _tell_apart(self) -> None:
        """What comes next is another round's, and begins without a space of its own."""
        if self._told.strip():
            self._tell(" ")

    def _segment(self, segment: str) -> str:
        self.timeline.mark("first_sentence", self._clock())
        return segment

    # --- Tools

    def _called(self, message: ToolsCalled, job: Job, *, begun: bool) -> None:
        self._tell_apart()
        self._filler = None if self._filled_with else Filler.of(message)
        self.calls.called(message, self.text, begun=begun)
        if begun:
            self.tool_events.called(self.calls.rounds[-1].runs)
            self._watch_silence(job)

    def _returned(self, message: ToolReturned) -> None:
        if (run := self.calls.returned(message)) is not None:
            self.tool_events.returned(run, message.took_ms)

    def _watch_silence(self, job: Job) -> None:
        if self._filler is not None and self.calls.is_waiting:
            job.wake_in(CHECK_SECONDS)

    def _needs_filler(self, job: Job) -> bool:
        if self._filler is None or not self.calls.is_waiting:
            return False
        due = self._filler.is_due(self._clock(), quiet=self.is_quiet())
        if not due:
            job.wake_in(CHECK_SECONDS)
        return due

    def _fill(self) -> Aside:
        """Once a turn."""
        filler, self._filler = self._filler, None
        self._filled_with = filler.text if filler else ""
        self._tell(f"{self._filled_with} ")
        return Aside(self._filled_with)


async def buffered(segments: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
    """Delivery `full`: hold all segments back until the last one is there, or an aside is due."""
    whole: list[str] = []
    async with aclosing(segments):
        async for segment in segments:
            whole.append(segment)
            if isinstance(segment, Aside):
                for one in whole:
                    yield one
                whole.clear()
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


def reply_spec(choice: ProviderChoice, profile: Profile, transcript: Transcript) -> ReplySpec:
    """What the agent needs to know."""
    return ReplySpec(
        provider=choice.provider,
        settings=choice.settings,
        language=profile.language,
        history=transcript.to_messages(),
        tools=tools.dump(profile.tools),
    )
