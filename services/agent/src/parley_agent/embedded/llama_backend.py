"""Where the embedded agent's replies come from: a model in this process, or a server elsewhere."""

import os
from dataclasses import dataclass, field
from typing import Any

from parley_agent.clouds.chat_stream import name_for_people
from parley_agent.embedded.llama_config import CONTEXT_TOKENS, LlamaConfig
from parley_agent.embedded.llama_server import LlamaServer

SMOLLM2_TOKENS = 1024
"""What SmolLM2 gets to read and write, examples included. Its context is larger, but on one
core a hundred tokens take it a second, and a worker that takes over a call has read none.
"""
REMOTE_TOKENS = 8192
"""What is taken for the context of a model elsewhere."""

TAMED = {
    "repeat_penalty": 1.05,
    "repeat_last_n": 64,
    "dry_multiplier": 0.8,
    "dry_sequence_breakers": ["\n"],
}
"""What keeps a small model from saying the same thing over and over. Each sequence breaker costs
every request the search of the whole vocabulary, 10 ms."""


@dataclass(frozen=True)
class Backend:
    """A model that can be asked at `url`."""

    url: str
    model: str
    who: str
    key: str = "none"
    tokens: int = CONTEXT_TOKENS
    wants_examples: bool = False
    continues: bool = False
    """A reply that the messages end with is gone on with, as if it had never stopped."""
    options: dict[str, Any] = field(default_factory=dict)
    server: LlamaServer | None = None


def open_backend(config: LlamaConfig) -> Backend:
    """The model that the environment asks for, loaded. Blocks. Raises ProviderError."""
    if config.llm_url is not None:
        return Backend(
            url=config.llm_url,
            model=config.llm_model,
            who=name_for_people(config.llm_model, config.llm_url),
            key=os.environ.get("OPENAI_API_KEY", "none"),
            tokens=REMOTE_TOKENS,
        )
    server = LlamaServer(config)
    is_smollm2 = config.gguf is None
    return Backend(
        url=server.url,
        model="embedded",
        who="the embedded language model",
        tokens=SMOLLM2_TOKENS if is_smollm2 else CONTEXT_TOKENS,
        wants_examples=is_smollm2,
        # Other models may not: llama.cpp refuses it for those that think before they answer.
        continues=is_smollm2,
        options={"stop": ["\n"], "extra_body": TAMED} if is_smollm2 else {},
        server=server,
    )
