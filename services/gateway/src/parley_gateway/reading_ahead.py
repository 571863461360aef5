"""Has the agent read what the caller says while they still say it: less is left to be read then."""

import asyncio
from contextlib import aclosing

from parley.messages import Retry
from parley.profiles import Profile
from parley.subjects import Stage
from parley.transcript import Transcript
from parley_gateway.claims import claim
from parley_gateway.jobs import JobChannel, JobLost
from parley_gateway.reply import reply_spec
from parley_gateway.turntaking.words import words

HUSH_MS = 90.0
"""Words that go so far beyond the last voice may be all of them: then a reply is made at once, and
would only wait for a reading."""


class ReadingAhead:
    """One call's. Its tasks live in `tasks`; one reads at a time, and what comes meanwhile is left.

    An agent that has nothing to read refuses, once: it is not asked again in this call.
    """

    def __init__(
        self,
        channel: JobChannel,
        profile: Profile,
        transcript: Transcript,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._channel = channel
        self._profile = profile
        self._transcript = transcript
        self._tasks = tasks
        self._task: asyncio.Task[None] | None = None
        self._wanted = profile.early_reply
        self._read_last: list[str] = []
        self._voice_ms = 0.0

    def voiced(self, position_ms: float) -> None:
        """There is the caller's voice up to there."""
        self._voice_ms = position_ms

    def heard(self, turn: int, said: str, covered_ms: float) -> None:
        """The caller, who still speaks, has said this of their turn up to `covered_ms`."""
        busy = self._task is not None and not self._task.done()
        if not self._wanted or busy or words(said) == self._read_last:
            return
        if covered_ms >= self._voice_ms + HUSH_MS:
            return
        self._read_last = words(said)
        transcript = self._transcript.copy()
        transcript.add_human_message(turn, said)
        self._task = self._tasks.create_task(self._read(turn, transcript))

    def stop(self) -> None:
        """Read no more."""
        self._wanted = False
        if self._task is not None:
            self._task.cancel()

    async def _read(self, turn: int, transcript: Transcript) -> None:
        choice = self._profile.candidates(Stage.AGENT)[0]
        spec = reply_spec(choice, self._profile, transcript)
        spec = spec.model_copy(update={"prepare": True, "ahead": True})
        try:
            job = await claim(self._channel, turn, spec, patience=0)
            async with aclosing(job.output()) as output:
                async for _ in output:
                    pass
        except JobLost as lost:
            self._wanted = self._wanted and lost.retry is not Retry.NEVER
