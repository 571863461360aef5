"""One call as every run makes it: a person asks, the bot recites, the person asks again.

Either the first answer is heard to its end and the second is stopped once it has begun; or the
second question cuts the first answer off, and its own answer is heard to the end.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import numpy as np

from benchmarks.chaos.plan import Phase
from benchmarks.chaos.take import Floor, Take
from parley_cli.call import Call, CallEnded, Event, Options, connect
from parley_cli.errors import Failure
from parley_cli.wav import Samples
from support import recordings
from support.engine import reciting

REPLY = (
    "The museum opens every morning at nine. On Mondays the upper floor is closed because all "
    "the old paintings are being cleaned."
)
"""What the bot answers, whatever it is asked."""
AGENT = "chaos"
PROFILES: dict[str, dict[str, object]] = {
    AGENT: reciting(REPLY) | {"llm": {"text": REPLY, "words_per_second": 10}},
}
"""The model is so slow that it still writes as the bot begins to speak. It cannot go on with what
another worker wrote: that is written anew, at this pace, and the time it takes is in the gap."""

PAUSE = (0.5, 6.0)
"""How long (s) a caller who chats is silent after each answer: drawn anew each time."""
SETTLE = 0.4
"""How long (s) the caller is silent at first."""
BARGE_IN_AFTER = 0.8
"""How far (s) into the first answer the second question comes when it cuts that off."""
SECOND_ANSWER_HEARD = 1.5
"""How much (s) of the second answer is heard when the first was heard whole."""
PATIENCE = 30.0
"""How long (s) the caller waits for the next step before giving up."""
FAILED = ("reply_failed", "speech_failed")
"""Errors after which no answer comes."""


FIRST_QUESTION = "I do. I think that America do it very well."
SECOND_QUESTION = "It was the age of wisdom."
HEARD = f"{FIRST_QUESTION} {SECOND_QUESTION}"
"""What is recognised of the caller in quiet calls."""


@cache
def question() -> Samples:
    """4 s."""
    return np.frombuffer(recordings.recording("clone-test.wav"), "<i2")


@cache
def second_question() -> Samples:
    """1.5 s, from its first word on."""
    pcm = recordings.recording("two_cities.wav")
    return np.frombuffer(recordings.part(pcm, 4.95, 6.45), "<i2")


class GaveUp(Exception):
    """The call cannot come to its end. The text says why."""


class Talk:
    """A call under way: what the caller does in it, and when its phases begin."""

    def __init__(self, call: Call, take: Take) -> None:
        self.call = call
        self.take = take
        self._asked = 0
        self._asked_at_event = 0
        self._question_over = 0.0

    async def converse(self) -> None:
        """The whole script. Raises GaveUp."""
        await asyncio.sleep(SETTLE)
        await self._ask(question())
        if self.take.barge_in:
            await self._hear_some(BARGE_IN_AFTER)
            await self._ask(second_question())
            await self._hear_all()
        else:
            await self._hear_all()
            await self._ask(second_question())
            await self._hear_some(SECOND_ANSWER_HEARD)
            await self.call.interrupt()
            await self._next("spoken", cut_off=True)

    async def chat(self, stop: asyncio.Event, pauses: random.Random) -> None:
        """Ask and hear the answer, again and again, until told to stop. Raises GaveUp."""
        await asyncio.sleep(pauses.uniform(*PAUSE))
        while not stop.is_set():
            await self._ask(second_question())
            await self._hear_all()
            await asyncio.sleep(pauses.uniform(*PAUSE))

    async def begins(self, phase: Phase) -> None:
        """Return when that phase of the call has begun: see plan.WINDOWS. Raises GaveUp."""
        call = self.call
        begun: dict[Phase, Callable[[], bool]] = {
            Phase.USER_SPEAKS: lambda: self._asked > 0,
            Phase.END_OF_TURN: lambda: self._question_over > 0,
            Phase.MODEL_WRITES: lambda: bool(self.take.of("reply")),
            Phase.BOT_SPEAKS: lambda: bool(call.playback.begun),
            Phase.BARGE_IN: lambda: self._asked > 1,
        }
        await self._until(begun[phase], f"the phase '{phase}'")

    async def _ask(self, speech: Samples) -> None:
        self._asked += 1
        self._asked_at_event = len(self.call.events)
        self.call.mix(speech)
        await self._until(lambda: not self.call.voice.pending, "the end of the question")
        self._question_over = time.monotonic()

    async def _hear_some(self, seconds: float) -> None:
        """Hear the beginning of the answer."""
        speaking = await self._next("speaking")
        turn, begun = int(speaking.data["turn"]), self.call.playback.begun
        heard = lambda: turn in begun and time.monotonic() >= begun[turn] + seconds  # noqa: E731
        await self._until(heard, "the sound of the answer")
        self.take.floors.append(Floor(self._question_over, time.monotonic()))

    async def _hear_all(self) -> None:
        """Hear the answer to its end."""
        spoken = await self._next("spoken", cut_off=False)
        await self._until(lambda: not self.call.playback.playing, "the last sound of the answer")
        end = self.call.playback.ended.get(int(spoken.data["turn"]), time.monotonic())
        self.take.floors.append(Floor(self._question_over, end))

    async def _next(self, kind: str, **fields: object) -> Event:
        """The first such event since the last question; a `spoken` must have words."""

        def came() -> list[Event]:
            news = self.take.events[self._asked_at_event :]
            for failure in news:
                if failure.type == "error" and failure.data["code"] in FAILED:
                    raise GaveUp(f"{failure.data['code']}: {failure.data['message']}")
            return [
                one
                for one in news
                if one.type == kind
                and fields.items() <= one.data.items()
                and one.data.get("text") != ""
            ]

        await self._until(lambda: bool(came()), f"{kind} {fields or ''}")
        return came()[0]

    async def _until(self, condition: Callable[[], bool], what: str) -> None:
        if not await self.call.until(condition, PATIENCE):
            raise GaveUp(f"{PATIENCE:.0f} s were not enough for {what}")


Conversation = Callable[[Talk], Awaitable[None]]
"""What the caller does; raises GaveUp."""
Harm = Callable[[Talk], Awaitable[None]]
"""Does harm to the engine while the call goes on; the call does not end before it has."""
Historian = Callable[[Take], Awaitable[list[dict[str, Any]] | None]]
"""Gives the history of a call that is about to end."""


async def perform(
    url: str,
    options: Options,
    *,
    barge_in: bool = False,
    conversation: Conversation = Talk.converse,
    harm: Harm | None = None,
    historian: Historian | None = None,
) -> Take:
    """Make the call. Whatever goes wrong with it stands in the take."""
    take = Take(barge_in, options.sample_rate)
    try:
        async with connect(url, options) as call:
            take.events, take.started_at = call.events, call.started_at
            talk = Talk(call, take)
            try:
                await _beside(conversation(talk), harm(talk) if harm else None)
                if historian is not None:
                    take.history = await historian(take)
                await call.end()
            finally:
                take.caller_audio, take.bot_audio = call.caller_audio, call.bot_audio
                take.reconnects = call.reconnects
    except (CallEnded, GaveUp, Failure, TimeoutError, OSError) as error:
        take.lost = f"{type(error).__name__}: {error}"
    return take


async def _beside(work: Awaitable[None], harm: Awaitable[None] | None) -> None:
    """Await both. An error of the work is raised before one of the harm."""
    if harm is None:
        return await work
    doing = asyncio.ensure_future(harm)
    try:
        await work
    except BaseException:
        doing.cancel()
        await asyncio.gather(doing, return_exceptions=True)
        raise
    return await doing
