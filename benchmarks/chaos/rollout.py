"""A rolling restart of every service while callers chat: how many calls does it cost?"""

import asyncio
import random
from dataclasses import dataclass
from pathlib import Path

from benchmarks.chaos import books, script
from benchmarks.chaos.books import Difference
from benchmarks.chaos.lane import SETTINGS
from benchmarks.chaos.series import Say
from benchmarks.chaos.take import Take
from parley_cli.call import Options
from support.engine import Engine
from support.words import normal

CALLS = 20
WARM_UP_SECONDS = 15.0
"""Calls begin one after another in this time, and all of them are under way after it."""
DRAIN_SECONDS = 30
DRAIN_TIMEOUT = DRAIN_SECONDS + 30.0
GATEWAYS = 2


@dataclass
class Rollout:
    """What became of the calls."""

    takes: list[Take]
    difference: Difference
    """Words of callers and bot that were lost or doubled, over all calls."""
    restarts: int

    @property
    def dropped(self) -> int:
        """Calls that did not come to the end that their callers wanted."""
        return sum(bool(take.lost) for take in self.takes)

    @property
    def wrong(self) -> list[str]:
        """What ought not to be, in words."""
        lost = [
            f"call {one.conversation} was dropped: {one.lost}" for one in self.takes if one.lost
        ]
        words = self.difference.lost or self.difference.doubled
        return lost + ([f"words of the chats: {self.difference}"] if words else [])


async def roll(folder: Path, seed: int, calls: int, say: Say) -> Rollout:
    """Replace every service, one after another, while so many callers chat."""
    services = ("gateway", "stt", "agent", "tts")
    drain = {name: {"PARLEY_DRAIN_SECONDS": str(DRAIN_SECONDS)} for name in services}
    drain["agent"] |= SETTINGS["agent"]
    engine = Engine(
        folder,
        script.PROFILES,
        gateways=GATEWAYS,
        spare_ports=GATEWAYS,
        workers=2,
        settings=drain,
    )
    await asyncio.to_thread(engine.__enter__)
    try:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            chats = [
                tasks.create_task(
                    _chat(engine, stop, random.Random(f"{seed} {number}"), number, calls)
                )
                for number in range(calls)
            ]
            await asyncio.sleep(WARM_UP_SECONDS)
            restarts = await _replace_all(engine, say)
            stop.set()
        takes = [chat.result() for chat in chats]
    finally:
        await asyncio.to_thread(engine.stop)
    return Rollout(takes, sum(map(difference, takes), Difference()), restarts)


async def _chat(
    engine: Engine, stop: asyncio.Event, pauses: random.Random, number: int, calls: int
) -> Take:
    await asyncio.sleep(WARM_UP_SECONDS * number / calls)
    # Callers are spread over the gateways; each knows all of them.
    addresses = engine.urls.split(",")
    first = number % GATEWAYS
    return await script.perform(
        ",".join([*addresses[first:], *addresses[:first]]),
        Options(agent=script.AGENT),
        conversation=lambda talk: talk.chat(stop, pauses),
    )


async def _replace_all(engine: Engine, say: Say) -> int:
    """Start each service's successor, and then tell the service to stop; how many those were."""
    old = engine.running()
    for service in old:
        successor = {name: value for name, value in service.env.items() if name != "PARLEY_PORT"}
        engine.start(service.name, **successor)
        await asyncio.to_thread(engine.wait_ready)
        code = await asyncio.to_thread(service.stop, timeout=DRAIN_TIMEOUT)
        say(f"{service.log.stem} was replaced; it ended with {code}")
    return len(old)


def difference(take: Take) -> Difference:
    """What is wrong in a call of equal exchanges that came to its end."""
    if take.lost:
        return Difference()
    exchanges = len(take.floors)
    question, reply = normal(script.SECOND_QUESTION).split(), normal(script.REPLY).split()
    said = normal(" ".join(str(one.data["text"]) for one in take.of("spoken"))).split()
    user = books.compare(question * exchanges, books.user_words(take))
    return user + books.compare(reply * exchanges, said)
