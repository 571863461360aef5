"""The caller of a benchmark call: makes one case after another, and writes down what it sees."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from benchmarks.turns import sounds
from benchmarks.turns.cases import OVERLAPPING, Case, Kind
from benchmarks.turns.ear import Ear
from benchmarks.turns.observed import Observation, Reply, Session, lost
from benchmarks.turns.playout import Span
from parley_cli.call import Call, CallEnded, Options, connect
from parley_cli.errors import Failure
from parley_cli.events import Event

SETTLE = 0.6
"""How long (s) both are silent before a turn of the caller's."""
PATIENCE = 20.0
"""How long (s) the caller waits for what must come."""
ANSWER_WAIT = 6.0
"""How long (s) after its end a turn may go without an answer."""
WATCH = 2.5
"""How long (s) the bot is watched after a sound that came while it spoke. An answer to it
comes within that time."""
TASTE = 0.5
"""How much (s) of an answer is heard where only its beginning counts."""
ROOM_SECONDS = 3.0
"""How long (s) the caller's room is heard after a sound. Digital silence would tell an end from a
pause, which no caller's microphone does."""
RESERVE = 8.0
"""So much (s) of the bot's turn must be left where a sound comes over it."""


class GaveUp(Exception):
    """The case cannot be made. The text says why."""


class Caller:
    """Makes cases in one call. `script` is what the bot recites, `script_seconds` its length."""

    def __init__(self, call: Call, script: str, script_seconds: float) -> None:
        self.call = call
        self.ear = Ear(call)
        self._script = script
        self._script_seconds = script_seconds

    async def make(self, case: Case) -> Observation:
        """One case. Raises CallEnded where the call is over."""
        try:
            if case.kind in OVERLAPPING:
                seen = await self._over_the_bot(case)
            elif case.kind is Kind.ANSWER:
                await self._be_asked()
                seen = await self._ask(case, case.moment)
            else:
                await self._silence()
                seen = await self._ask(case, SETTLE)
        except (GaveUp, TimeoutError) as error:
            return lost(case, str(error))
        return seen

    def with_reply(self, seen: Observation) -> Observation:
        """The observation with what was played of the reply that ended in it."""
        spoken = seen.first("spoken", turn=seen.turn)
        return seen if spoken is None else seen.with_reply(self._reply(spoken, seen.played))

    def resumed(self) -> list[Reply]:
        """The replies that are over and went on after a tentative pause."""
        turns = {int(one.data["turn"]) for one in self.call.events if one.type == "resumed"}
        over = [one for one in self.call.events if one.type == "spoken"]
        found = [self._reply(one, self.ear.played()) for one in over if one.data["turn"] in turns]
        return [one for one in found if one is not None]

    def _reply(self, spoken: Event, played: Sequence[Span]) -> Reply | None:
        turn = int(spoken.data["turn"])
        spans = [one for one in played if one.turn == turn]
        if not spans:
            return None
        zero = self.call.started_at
        first, last = (int((at - zero) * sounds.RATE) for at in (spans[0].begin, spans[-1].end))
        resumes = sum(
            one.type == "resumed" and one.data["turn"] == turn for one in self.call.events
        )
        audio = self.call.bot_audio[first:last]
        return Reply(self._script, str(spoken.data["text"]), audio, resumes)

    # --- A turn of the caller's

    async def _ask(self, case: Case, wait: float) -> Observation:
        """Say it, hear the beginning of the answer (all of a question), and fall silent."""
        await asyncio.sleep(wait)
        seen = self._say(case)
        answered = lambda: any(one.at > seen.end for one in self.ear.frames[-100:])  # noqa: E731
        await self.call.until(lambda: time.monotonic() > seen.end, case.seconds + PATIENCE)
        await self.call.until(answered, ANSWER_WAIT)
        await asyncio.sleep(TASTE)
        return self._observed(seen)

    async def _be_asked(self) -> None:
        """Have the bot ask its question, and hear it to its end."""
        if not await self.call.until(lambda: self._speaking, 2.5):
            await self.call.text("Ask me.")
            await self._wait(lambda: self._speaking, "a question")
        await self._wait(lambda: not self._speaking, "the end of the question")

    async def _silence(self) -> None:
        """Stop the bot if it speaks, or is about to."""
        await self.call.interrupt()
        await self._wait(lambda: not self._speaking, "silence")

    # --- A sound while the bot speaks

    async def _over_the_bot(self, case: Case) -> Observation:
        turn = await self._floor(case)
        await self._wait(lambda: self.ear.seconds_of(turn) >= case.moment, "the moment")
        seen = replace(self._say(case), turn=turn)
        await self.call.until(lambda: time.monotonic() > seen.end + WATCH, case.seconds + PATIENCE)
        seen = self._observed(seen)
        if seen.first("spoken", turn=turn, cut_off=False):
            raise GaveUp("the reply was over before it could be seen what comes of the sound")
        return seen

    async def _floor(self, case: Case) -> int:
        """The turn that the bot speaks, with enough of it left."""
        wanted = case.moment + case.seconds + WATCH + RESERVE
        fresh = case.kind is Kind.INTERRUPTION
        await self.call.until(lambda: self._speaking, 2.5 if fresh and self.ear.frames else 0.1)
        turn = self._turn
        so_far = self.ear.seconds_of(turn)
        late = so_far > case.moment if fresh else so_far + wanted > self._script_seconds
        if self._speaking and not late:
            return turn if fresh else await self._a_little_later(turn, case.moment)
        await self._silence()
        await self.call.text("Tell me about the museum.")
        await self._wait(lambda: self._speaking and self._turn != turn, "a reply")
        return self._turn

    async def _a_little_later(self, turn: int, seconds: float) -> int:
        """Let the bot speak for so long (s) since the last sound."""
        goal = self.ear.seconds_of(turn) + seconds - 1.0
        await self._wait(lambda: self.ear.seconds_of(turn) >= goal, "some more of the reply")
        return turn

    # --- What is common to all

    def _say(self, case: Case) -> Observation:
        """Send the sound from the next frame on; when its first and last sample are heard."""
        before = len(self.call.caller_audio)
        self.call.mix(sounds.joined(np.asarray(case.samples), sounds.room(ROOM_SECONDS * 1000)))
        onset = self.call.started_at + before / sounds.RATE
        self._events_before = len(self.call.events)
        return Observation(case, onset, onset + case.seconds, 0.0)

    def _observed(self, seen: Observation) -> Observation:
        return replace(
            seen,
            watched_to=time.monotonic(),
            frames=[one for one in self.ear.frames if one.turn == seen.turn or one.at > seen.onset],
            played=[
                one for one in self.ear.played() if one.turn == seen.turn or one.end > seen.onset
            ],
            events=self.call.events[self._events_before :],
        )

    @property
    def _turn(self) -> int:
        return self.ear.frames[-1].turn if self.ear.frames else -1

    @property
    def _speaking(self) -> bool:
        """Whether audio came just now, or is still to be played."""
        frames = self.ear.frames
        over = {int(one.data["turn"]) for one in self.call.events if one.type == "spoken"}
        return bool(frames) and (frames[-1].turn not in over or self.call.playback.playing)

    async def _wait(self, condition: Callable[[], bool], what: str) -> None:
        if not await self.call.until(condition, PATIENCE):
            raise GaveUp(f"{PATIENCE:.0f} s were not enough for {what}")


async def make_all(
    url: str, agent: str, cases: Sequence[Case], script: str, script_seconds: float
) -> Session:
    """All cases in one call, one after another. Those after its loss are lost."""
    made: list[Observation] = []
    session = Session(made)
    try:
        async with connect(url, Options(agent=agent)) as call:
            caller = Caller(call, script, script_seconds)
            for case in cases:
                made.append(await caller.make(case))
            await call.interrupt()
            await asyncio.sleep(SETTLE)
            await call.end()
        session.observations = [caller.with_reply(one) for one in made]
        session.resumed = caller.resumed()
    except (CallEnded, Failure, OSError) as error:
        made += [lost(case, f"the call was lost: {error}") for case in cases[len(made) :]]
    return session
