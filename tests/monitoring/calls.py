"""Calls in which everything happens that is measured."""

import asyncio

import numpy as np

from parley_cli.call import Call, CallRefused, Options, connect
from support import interjections, recordings
from support.engine import FIVE_SENTENCES, ONE_SENTENCE, reciting

TOKEN = "a-token-of-this-test"
PROFILES: dict[str, dict[str, object]] = {
    "short": reciting("All right."),
    "five": reciting(FIVE_SENTENCES),
    # Slower than speech: the caller's ear runs dry between two sentences.
    "slow": {"llmProvider": "recite", "llm": {"text": ONE_SENTENCE, "words_per_second": 2}},
    "falters": reciting(
        ONE_SENTENCE,
        voiceProvider="falter",
        voice={"how": "now", "after_ms": 700},
        voiceFallbacks=[{"provider": "hibari"}],
    ),
    "bye": {
        "llmProvider": "recite",
        "llm": {"rounds": [{"say": "Goodbye then.", "call": [["end_call", {}]]}]},
        "tools": [{"type": "end_call"}],
    },
}


async def everything(url: str) -> None:
    """Some calls at once. One that is refused, on a busy machine, is made in the next round."""
    calls = (spoken, interrupted, nodded_at, slow, faltering, ended_by_the_bot)
    # Each to its end: a call that is broken off is held for its client to come back.
    ends = await asyncio.gather(*(call(url) for call in calls), return_exceptions=True)
    for end in ends:
        if isinstance(end, BaseException) and not isinstance(end, CallRefused):
            raise end


async def spoken(url: str) -> None:
    """A person asks, and is answered."""
    async with connect(url, Options(agent="short", token=TOKEN)) as call:
        call.play(np.frombuffer(recordings.recording("clone-test.wav"), "<i2"))
        await call.wait_for("spoken", turn=1, timeout=60)
        await call.end()


async def interrupted(url: str) -> None:
    """A person speaks over the bot."""
    async with connect(url, Options(agent="five", token=TOKEN)) as call:
        await into_the_answer(call)
        call.mix(interjections.said("Wait, I have another question."))
        await call.wait_for("interrupted", turn=1, timeout=30)
        await call.end()


async def nodded_at(url: str) -> None:
    """The bot pauses, and goes on."""
    async with connect(url, Options(agent="five", token=TOKEN)) as call:
        await into_the_answer(call)
        call.mix(interjections.said("Yeah."))
        await call.wait_for("resumed", turn=1, timeout=30)
        await call.end()


async def slow(url: str) -> None:
    """The model cannot keep up with the voice."""
    await answered(url, "slow")


async def faltering(url: str) -> None:
    """A voice fails in mid-sentence, and another goes on."""
    await answered(url, "falters")


async def ended_by_the_bot(url: str) -> None:
    """The model calls a tool."""
    async with connect(url, Options(agent="bye", token=TOKEN)) as call:
        await call.text("Goodbye.")
        await call.wait_for("end", timeout=60)


async def into_the_answer(call: Call) -> None:
    """Three seconds into an answer."""
    await call.text("Tell me about the museum.")
    await call.wait_for("speaking", turn=1, timeout=60)
    await asyncio.sleep(3)


async def answered(url: str, agent: str) -> None:
    """One question, and its whole answer."""
    async with connect(url, Options(agent=agent, token=TOKEN)) as call:
        await call.text("Tell me about the museum.")
        await call.wait_for("spoken", turn=1, timeout=90)
        await call.end()
