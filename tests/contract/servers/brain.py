"""What writes replies behind a contract server: the embedded language model.

A model so small cannot be trusted to call tools. So where the caller says `use <tool> {json}`
and the tool is among those offered, it is called with that JSON: several such make parallel calls.
"""

import json
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from parley.messages import ChatMessage, ToolCall
from parley.providers import settings_for
from parley_agent.providers.llama import LlamaAgent

_WANTED = re.compile(r"use (\w+) (\{.*?\})")


def tool_calls(said: str, offered: Sequence[str]) -> list[ToolCall]:
    """The calls that `said` asks for, of the tools that are offered."""
    wanted = [match.groups() for match in _WANTED.finditer(said)]
    return [
        ToolCall(id=f"call_{index}", name=name, arguments=json.dumps(json.loads(arguments)))
        for index, (name, arguments) in enumerate(wanted)
        if name in offered
    ]


async def warm_up() -> None:
    """Load the model, which takes seconds: a client's patience is not for that."""
    await LlamaAgent.warm_up()


async def reply(history: Sequence[ChatMessage]) -> AsyncGenerator[str, None]:
    """Yield a reply's text, piece by piece. A tool's result is told as the caller's words."""
    plain = [
        ChatMessage(role="user", content=f"The result is: {message.content}")
        if message.role == "tool"
        else ChatMessage(role=message.role, content=message.content)
        for message in history
        if message.content
    ]
    agent = LlamaAgent(settings_for(LlamaAgent, {}))
    async with aclosing(agent.generate_response(plain, conversation_id="contract")) as pieces:
        async for text in pieces:
            yield text
