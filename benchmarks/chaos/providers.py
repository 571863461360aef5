"""A language model that fails in every way, with another one to fall back to."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.chaos import books, ear, script
from benchmarks.chaos.books import Quiet
from benchmarks.chaos.lane import Lane
from benchmarks.chaos.take import Take
from parley_cli.call import Options, connect
from support.chat_server import CUT, DONE, HANG, PING, RESET, Answer, ChatServer, chunk

BEGINNING = 9
"""How many words of the reply come before it breaks off: the first sentence, and two more."""
PATIENCE_SECONDS = 1.0
HEALED_SECONDS = 60.0
"""How long it may take until a server that has healed is used again."""


def _events(words: int | None = None) -> list[str]:
    return [chunk(f"{word} ") for word in script.REPLY.split(" ")[:words]]


GOOD = Answer(events=[*_events(), chunk(finish="stop"), DONE])
FAILURES = {
    "busy": Answer(status=429, headers={"Retry-After": "2"}),
    "broken": Answer(status=500),
    "silent": Answer(silent=True),
    "hangs": Answer(events=[*_events(BEGINNING), HANG]),
    "pings": Answer(events=[*_events(BEGINNING), PING]),
    "resets": Answer(events=[*_events(BEGINNING), RESET]),
    "breaks-off": Answer(events=[*_events(BEGINNING), CUT]),
    "just-ends": Answer(events=_events(BEGINNING)),
}
"""What the server answers, by the name of the failure."""


@dataclass
class Failures:
    """What callers noticed."""

    takes: dict[str, Take] = field(default_factory=dict)
    gaps_ms: dict[str, float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    healed: int = 0
    """Servers that were used again once they had healed."""


async def fail(folder: Path, at_once: int) -> Failures:
    """Call with each failure, and again once it is healed."""
    found = Failures()
    async with AsyncExitStack() as stack:
        servers = {name: ChatServer(answer) for name, answer in FAILURES.items()}
        profiles = {
            name: _profile(await stack.enter_async_context(server.serving()))
            for name, server in servers.items()
        }
        lane = await stack.enter_async_context(Lane(folder, profiles=profiles))
        calm = await lane.call(barge_in=False)
        quiet = Quiet([books.user_words(calm)], script.REPLY, ear.waiting_ms(calm))
        names = list(FAILURES)
        for first in range(0, len(names), at_once):
            group = names[first : first + at_once]
            takes = await asyncio.gather(*(lane.call(barge_in=False, agent=one) for one in group))
            found.takes |= dict(zip(group, takes, strict=True))
        for name, take in found.takes.items():
            _judge(name, take, servers[name], quiet, found)
        for name, server in servers.items():
            await _heal(name, server, lane.engine.urls, found)
    return found


def _profile(url: str) -> dict[str, object]:
    settings = {"baseUrl": url, "model": "m", "patienceSeconds": PATIENCE_SECONDS}
    fallback = script.PROFILES[script.AGENT]
    return {
        "llmProvider": "openai",
        "llm": settings,
        "llmFallbacks": [{"provider": fallback["llmProvider"], "settings": fallback["llm"]}],
    }


def _judge(name: str, take: Take, server: ChatServer, quiet: Quiet, found: Failures) -> None:
    if take.lost:
        found.wrong.append(f"a model that {name}: call lost: {take.lost}")
        return
    found.gaps_ms[name] = max(0.0, ear.waiting_ms(take) - quiet.waiting_ms)
    audited = books.audit(take, quiet)
    if not server.requests:
        audited.findings.append("the model was never asked")
    if not audited.balanced:
        found.wrong.append(f"a model that {name}: {audited}")


async def _heal(name: str, server: ChatServer, url: str, found: Failures) -> None:
    """Ask until the server's own answer is heard."""
    server.answers = [GOOD]
    before = len(server.requests)
    deadline = time.monotonic() + HEALED_SECONDS
    async with connect(url, Options(agent=name, record=False)) as call:
        while len(server.requests) == before:
            if time.monotonic() > deadline:
                found.wrong.append(f"a model that {name}: not used again once it had healed")
                return
            await call.text("Tell me about the museum.")
            reply = await call.wait_for("speaking", since=len(call.events), timeout=30)
            await call.interrupt()
            await call.wait_for("spoken", since=call.events.index(reply), timeout=30)
        await call.end()
    found.healed += 1
