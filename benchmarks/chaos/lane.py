"""A lane: an engine of its own, in which one call at a time is made and one fault hits it.

Lanes run beside each other, so that a fault hits one call only and it is known which.
"""

import asyncio
import json
import signal
import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.chaos import books, ear, faults, leftovers, script
from benchmarks.chaos.books import Books, Quiet
from benchmarks.chaos.faults import Injury, Site
from benchmarks.chaos.leftovers import Holdings
from benchmarks.chaos.plan import Phase, Plan
from benchmarks.chaos.take import Take
from parley_cli.call import Options
from support.engine import Broker, Engine, Profiles
from support.faultproxy import FaultProxy
from support.nats import NatsCluster

SETTINGS = {"agent": {"PARLEY_WARM": "recite"}}
"""The language model is not asked, so it is not loaded."""
TRANSCRIPT_SECONDS = 20.0
"""How long it may take until all that was said is in the transcript."""
LINES = 8
"""Two gateways and two workers of each stage."""


@dataclass
class Outcome:
    """A run, what it did, and what its books say."""

    plan: Plan
    injury: Injury
    take: Take
    books: Books = field(default_factory=Books)
    gap_ms: float = 0.0
    """How much longer than in quiet calls the caller waited for answers, silences included."""

    @property
    def lost(self) -> bool:
        """Whether the call did not come to its end."""
        return bool(self.take.lost)

    @property
    def well(self) -> bool:
        """Whether the call came to its end and its books are balanced."""
        return not self.lost and self.books.balanced

    def __str__(self) -> str:
        hit = f"{self.injury.victims or 'nobody'}{'' if self.injury.busy else ' (idle)'}"
        if self.lost:
            return f"{self.plan} hit {hit}: CALL LOST: {self.take.lost}"
        user, reply = self.books.user, self.books.reply
        verdict = "well" if self.well else f"user {user}, reply {reply}, {self.books.findings}"
        return f"{self.plan} hit {hit}: gap {self.gap_ms:.0f} ms; {verdict}"


class Lane:
    """An engine with two gateways and two workers of each stage. Use it with `async with`.

    `divided`: each service has a line of its own to NATS, which can be cut.
    """

    def __init__(
        self,
        folder: Path,
        *,
        nats: Broker | None = None,
        settings: Mapping[str, Mapping[str, str]] | None = None,
        profiles: Profiles | None = None,
        divided: bool = False,
    ) -> None:
        self.engine = Engine(
            folder,
            {**script.PROFILES, **(profiles or {})},
            nats=nats,
            gateways=2,
            workers=2,
            settings={**SETTINGS, **(settings or {})},
            route=self._next_line if divided else None,
        )
        self.idle: dict[str, Holdings] = {}
        self._divided = divided
        self._lines: dict[str, FaultProxy] = {}
        self._unused: list[str] = []
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        if self._divided:
            host, port = self.engine.nats.url.removeprefix("nats://").split(":")
            for _ in range(LINES):
                line = await self._open.enter_async_context(FaultProxy(host, int(port)))
                self._lines[f"nats://127.0.0.1:{line.port}"] = line
            self._unused = list(self._lines)
        await asyncio.to_thread(self.engine.__enter__)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.engine.stop)
        await self._open.aclose()

    def _next_line(self, name: str) -> str:
        return self._unused.pop()

    async def call(
        self, *, barge_in: bool, harm: script.Harm | None = None, agent: str = script.AGENT
    ) -> Take:
        """One call."""
        options = Options(agent=agent)
        return await script.perform(
            self.engine.urls, options, barge_in=barge_in, harm=harm, historian=self._transcript
        )

    async def run(self, plan: Plan, quiet: dict[bool, Quiet]) -> Outcome:
        """One call with the planned fault. `mend` is due before the next one."""
        injury = Injury(plan)
        barge_in = plan.phase is Phase.BARGE_IN

        async def harm(talk: script.Talk) -> None:
            await faults.strike(Site(self.engine, self._lines), plan, injury, talk)

        take = await self.call(barge_in=barge_in, harm=harm)
        outcome = Outcome(plan, injury, take)
        if not outcome.lost:
            outcome.books = books.audit(take, quiet[barge_in])
            outcome.gap_ms = max(0.0, ear.waiting_ms(take) - quiet[barge_in].waiting_ms)
        return outcome

    async def _transcript(self, take: Take) -> list[dict[str, Any]]:
        """What a gateway says that was said, once it has all of it, or after some seconds."""
        answers = sum(one.data["text"] != "" for one in take.of("spoken"))
        path = f"/conversations/{take.conversation}"
        transcript: list[dict[str, Any]] = []
        deadline = time.monotonic() + TRANSCRIPT_SECONDS
        while time.monotonic() < deadline:
            with suppress(OSError):
                answer = await asyncio.to_thread(self.engine.service("gateway").get, path)
                transcript = json.loads(answer)["transcript"]
                if sum(one["speaker"] == "bot" for one in transcript) >= answers:
                    break
            await asyncio.sleep(0.1)
        return transcript

    async def mend(self) -> list[str]:
        """Start again whoever is gone; returns when all are ready, with who died of itself."""
        return await asyncio.to_thread(self._mend)

    def _mend(self) -> list[str]:
        engine = self.engine
        if isinstance(engine.nats, NatsCluster):
            engine.nats.start()
        gone = [one for one in engine.services if not one.alive]
        for service in gone:
            engine.services.remove(service)
            engine.replace(service)
        if gone:
            engine.wait_ready()
        codes = {one.log.stem: one.process.returncode for one in gone}
        return [
            f"{name} ended of itself with {code}"
            for name, code in codes.items()
            if code != -signal.SIGKILL
        ]

    async def note_idle(self) -> None:
        """What services hold once no job is left is what their kind may hold when idle.

        Raises RuntimeError if jobs are left.
        """
        self.idle = await asyncio.to_thread(leftovers.when_idle, self.engine.running())

    async def left_over(self) -> list[str]:
        """What the services hold beyond what they may hold when idle."""
        return await asyncio.to_thread(leftovers.left_over, self.engine.running(), self.idle)


async def quiet_calls(lanes: Sequence[Lane], rounds: int) -> dict[bool, Quiet]:
    """Calls that nothing happens to, `rounds` of each script in each lane: the measure.

    The key is whether the first answer is cut off. Raises RuntimeError if such a call goes wrong.
    """
    measures = {}
    for barge_in in (False, True):
        takes: list[Take] = []
        for _ in range(rounds):
            takes += await asyncio.gather(*(lane.call(barge_in=barge_in) for lane in lanes))
        for take in takes:
            if take.lost:
                raise RuntimeError(f"a quiet call was lost: {take.lost}")
        measures[barge_in] = Quiet(
            user=[books.user_words(take) for take in takes],
            reply=script.REPLY,
            waiting_ms=statistics.median(ear.waiting_ms(take) for take in takes),
        )
        for take in takes:
            found = books.audit(take, measures[barge_in])
            if not found.balanced:
                raise RuntimeError(f"the books of a quiet call are not balanced: {found}")
    return measures
