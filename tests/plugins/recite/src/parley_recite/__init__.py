"""A third-party agent, found by its entry point: it recites what its settings say.

Tests use it where the words of a reply must be known beforehand; all else is the real engine.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from parley.messages import ChatMessage
from parley.providers import Agent, ProviderSettings


class ReciteSettings(ProviderSettings):
    text: str = "This is a recitation."
    words_per_second: float = 20.0


class ReciteAgent(Agent):
    Settings = ReciteSettings
    settings: ReciteSettings

    async def generate_response(
        self, history: Sequence[ChatMessage], *, conversation_id: str, is_interrupt: bool = False
    ) -> AsyncGenerator[str, None]:
        for word in self.settings.text.split(" "):
            yield word + " "
            await asyncio.sleep(1 / self.settings.words_per_second)
