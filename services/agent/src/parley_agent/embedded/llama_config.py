"""What the environment can say about the embedded language model."""

import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

CAPACITY = 4
"""Replies written at once, unless PARLEY_CAPACITY says otherwise."""
CONTEXT_TOKENS = 2048
"""What one conversation may take: prompt, examples, history and reply."""


class LlamaConfig(BaseSettings):
    """Each is named PARLEY_<FIELD IN CAPITALS>."""

    model_config = SettingsConfigDict(env_prefix="PARLEY_", extra="ignore")

    gguf: Path | None = None
    """PARLEY_GGUF: a chat model's GGUF file, to be run instead of SmolLM2."""

    llm_url: str | None = Field(default=None, pattern=r"^https?://")
    """PARLEY_LLM_URL: an OpenAI-compatible server (Ollama, llama.cpp, vLLM), such as
    http://localhost:11434/v1, to be asked instead of loading anything. The key, if it needs
    one, comes from OPENAI_API_KEY.
    """

    llm_model: str = "default"
    """PARLEY_LLM_MODEL: the model's name at that server."""

    llm_threads: int = Field(default=max(1, (os.cpu_count() or 2) - 1), gt=0)
    """PARLEY_LLM_THREADS: threads that the model computes with. Default: all cores but one."""

    capacity: int = Field(default=CAPACITY, gt=0)
    """PARLEY_CAPACITY: replies written at once; the worker reads the same variable."""
