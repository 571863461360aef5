"""A third-party agent, found by its entry point: it recites what its settings say.

Tests use it where the words of a reply must be known beforehand; all else is the real engine.
With `rounds` it calls tools: each round's words, then its calls, then the next round.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel

from parley.messages import ChatMessage, ToolCall, ToolDescription
from parley.providers import Agent, AgentCapabilities, ProviderSettings, ReplyPiece, Usage


class Round(BaseModel):
    """`{0}` in `say` is what the first of the last round's tools gave, `{1}` the second."""

    say: str = ""
    call: list[tuple[str, dict[str, Any]]] = []


class ReciteSettings(ProviderSettings):
    text: str = "This is a recitation."
    words_per_second: float = 20.0
    rounds: list[Round] = []


class ReciteAgent(Agent):
    Settings = ReciteSettings
    settings: ReciteSettings
    capabilities: ClassVar = AgentCapabilities(calls_tools=True)

    async def generate_response(
        self,
        history: Sequence[ChatMessage],
        *,
        conversation_id: str,
        is_interrupt: bool = False,
        tools: Sequence[ToolDescription] = (),
    ) -> AsyncGenerator[ReplyPiece, None]:
        rounds = self.settings.rounds or [Round(say=self.settings.text)]
        over, given = _so_far(history)
        here = rounds[min(over, len(rounds) - 1)]
        text = here.say
        for at, result in enumerate(given):
            text = text.replace(f"{{{at}}}", result)
        for word in text.split(" ") if text else []:
            yield word + " "
            await asyncio.sleep(1 / self.settings.words_per_second)
        offered = {tool.name for tool in tools}
        for at, (name, arguments) in enumerate(here.call if over < len(rounds) else []):
            if name in offered:
                yield ToolCall(id=f"call-{over}-{at}", name=name, arguments=json.dumps(arguments))
        yield Usage(input_tokens=len(history), output_tokens=len(text.split()))


def _so_far(history: Sequence[ChatMessage]) -> tuple[int, list[str]]:
    """How many rounds the reply has had, and what the last one's tools gave."""
    over, given = 0, []
    for message in reversed(history):
        if message.role == "user":
            break
        if message.role == "tool" and not over:
            given.append(message.content)
        over += bool(message.tool_calls)
    return over, given[::-1]
