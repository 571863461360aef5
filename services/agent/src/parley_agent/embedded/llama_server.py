"""llama.cpp in this process, listening on loopback for chat completions."""

import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import openai

from parley.messages import ChatMessage, Retry
from parley.providers import ProviderError
from parley_agent.embedded.cpu import missing_features
from parley_agent.embedded.gguf import find_model
from parley_agent.embedded.llama_config import CONTEXT_TOKENS, LlamaConfig

PROMPT_CACHE_MIB = 256
"""Memory for conversations that wait between two turns: some ten of a full context each."""

REUSED_TOKENS = 32
"""What was read once is moved, not read again, when turns before it are dropped: parts of so
many tokens or more."""


class LlamaServer:
    """A loaded model. All its methods block."""

    def __init__(self, config: LlamaConfig) -> None:
        """Load the model. Raises ProviderError where it cannot run here."""
        if missing := missing_features():
            raise ProviderError(
                f"this processor lacks {', '.join(sorted(missing))}, which the embedded language "
                "model needs; set PARLEY_LLM_URL to a server elsewhere",
                Retry.NOW,
            )
        if find_spec("xllamacpp") is None:
            raise ProviderError("the embedded language model needs xllamacpp: install it")
        path = str(find_model(config.gguf))
        # Only `prime` keeps something there: the state of one prompt, a few megabytes.
        self._saved = tempfile.TemporaryDirectory(prefix="parley-llama-")
        self._slots = config.capacity
        self._server: Any = _start(path, config, self._saved.name + "/")
        self.url: str = self._server.listening_address

    def prime(self, prompt: Sequence[ChatMessage]) -> None:
        """Read `prompt` once and give every slot the result, so that no call waits for it."""
        messages: Any = [message.model_dump() for message in prompt]
        with openai.OpenAI(base_url=self.url, api_key="none", max_retries=0) as client:
            client.chat.completions.create(
                model="", messages=messages, max_tokens=1, extra_body={"id_slot": 0}
            )
            saved = {"filename": "prompt"}
            client.post("/slots/0?action=save", cast_to=object, body=saved)
            for slot in range(1, self._slots):
                client.post(f"/slots/{slot}?action=restore", cast_to=object, body=saved)

    def close(self) -> None:
        """Stop listening and unload the model."""
        self._server = None
        self._saved.cleanup()


def _start(path: str, config: LlamaConfig, saved: str) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = path
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_parallel = config.capacity
    params.n_ctx = CONTEXT_TOKENS * config.capacity
    params.kv_unified = False  # each conversation has its share, whatever the others do
    params.fit_params = False
    params.n_cache_reuse = REUSED_TOKENS
    params.cache_ram_mib = PROMPT_CACHE_MIB
    params.slot_save_path = saved
    params.cpuparams.n_threads = config.llm_threads
    params.cpuparams_batch.n_threads = config.llm_threads
    params.ui = False
    params.verbosity = -1
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise ProviderError(f"the language model {path} cannot be loaded: {error}") from None
