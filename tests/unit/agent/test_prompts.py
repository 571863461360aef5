"""Prompts are read once, and replies wait for a reading under way."""

import asyncio
from collections.abc import Sequence

import pytest

from parley.messages import ChatMessage
from parley.providers import ProviderError
from parley_agent.embedded.prompts import Ahead, Prompts

PROMPT = [ChatMessage(role="system", content="Be kind.")]
CALL = [*PROMPT, ChatMessage(role="user", content="Hello.")]


class Reader:
    def __init__(self) -> None:
        self.readings = 0
        self.finish = asyncio.Event()
        self.fails = False

    async def __call__(self, history: Sequence[ChatMessage]) -> None:
        self.readings += 1
        await self.finish.wait()
        if self.fails:
            raise ProviderError("no")


async def test_one_reading_serves_all_and_replies_wait_for_it() -> None:
    reader = Reader()
    prompts = Prompts(reader)
    tasks = [asyncio.create_task(prompts.prepare(PROMPT)) for _ in range(3)]
    await asyncio.sleep(0)
    reply = asyncio.create_task(prompts.settled(CALL))
    await asyncio.sleep(0)
    assert not reply.done()
    tasks[0].cancel()
    reader.finish.set()
    await asyncio.gather(*tasks[1:], reply)
    await prompts.prepare(PROMPT)
    assert reader.readings == 1


async def test_what_failed_is_read_again_and_does_not_fail_the_reply() -> None:
    reader = Reader()
    reader.fails = True
    reader.finish.set()
    prompts = Prompts(reader)
    for _ in range(2):
        with pytest.raises(ProviderError):
            await prompts.prepare(PROMPT)
    await prompts.settled(CALL)
    assert reader.readings == 2


async def test_another_prompt_is_not_waited_for() -> None:
    reader = Reader()
    prompts = Prompts(reader)
    other = asyncio.create_task(prompts.prepare(PROMPT))
    await asyncio.sleep(0)
    await prompts.settled([ChatMessage(role="user", content="Hello.")])
    reader.finish.set()
    await other


async def test_what_is_said_is_read_ahead_and_the_reply_waits_for_that() -> None:
    reader = Reader()
    ahead = Ahead(reader)
    reading = asyncio.create_task(ahead.read(CALL))
    await asyncio.sleep(0)
    await ahead.read(CALL)  # One at a time: this one is left.
    reply = asyncio.create_task(replied(ahead, CALL))
    other = asyncio.create_task(replied(ahead, [*PROMPT, *CALL]))
    await asyncio.wait([other])
    assert not reply.done()
    reader.finish.set()
    await asyncio.gather(reading, reply)
    assert reader.readings == 1


async def test_nothing_is_read_ahead_while_a_reply_is_made() -> None:
    reader = Reader()
    ahead = Ahead(reader)
    async with ahead.reply(CALL):
        await ahead.read(CALL)
    assert reader.readings == 0
    reader.finish.set()
    await ahead.read(CALL)
    assert reader.readings == 1


async def test_a_reading_ahead_that_fails_does_not_fail_the_reply() -> None:
    reader = Reader()
    reader.fails = True
    ahead = Ahead(reader)
    reading = asyncio.create_task(ahead.read(CALL))
    await asyncio.sleep(0)
    reply = asyncio.create_task(replied(ahead, CALL))
    await asyncio.sleep(0)
    reader.finish.set()
    await reply
    with pytest.raises(ProviderError):
        await reading


async def replied(ahead: Ahead, history: Sequence[ChatMessage]) -> None:
    async with ahead.reply(history):
        pass
