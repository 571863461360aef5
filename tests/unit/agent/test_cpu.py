"""What the processor can do."""

import pytest

from parley.providers import ProviderError
from parley_agent.embedded import llama_server
from parley_agent.embedded.cpu import missing_in
from parley_agent.embedded.llama_config import LlamaConfig

MODERN = "processor\t: 0\nflags\t\t: fpu sse2 avx avx2 fma f16c bmi1 bmi2\n"


def test_a_modern_processor_lacks_nothing() -> None:
    assert missing_in(MODERN) == set()


def test_an_old_one_lacks_something() -> None:
    assert missing_in(MODERN.replace("avx2 fma", "")) == {"avx2", "fma"}


def test_what_cannot_be_read_is_not_held_against_it() -> None:
    assert missing_in("Features : fp asimd") == set()


def test_the_model_is_not_loaded_where_it_would_kill_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(llama_server, "missing_features", lambda: {"avx2"})
    with pytest.raises(ProviderError, match="lacks avx2"):
        llama_server.LlamaServer(LlamaConfig())
