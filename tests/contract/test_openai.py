"""A model behind OpenAI's protocol, asked with the real SDK: every way in which it can fail."""

import asyncio
import json
from typing import Any

import pytest

from contract.servers.openai_api import OpenAIServer
from parley import accounts
from parley.breaker import BreakerOpen
from parley.guarded import Breakers, Guarded
from parley.messages import ChatMessage, JobRequest, ReplySpec, Retry, ToolCall
from parley.providers import ProviderError, ReplyPiece, Usage, settings_for
from parley.subjects import Stage
from parley_agent.continuation import GO_ON
from parley_agent.providers.openai_chat import OpenAIAgent, OpenAISettings
from parley_agent.replying import ReplyHandler, write_reply
from support.agents import WEATHER, all_of, exchange
from support.chat_server import CUT, DONE, HANG, PING, RESET, Answer, ChatServer, Listener, chunk

KEY = "sk-a-very-secret-key"
HISTORY = [ChatMessage(role="user", content="Hello.")]
PATIENCE = 0.3
GOOD = Answer(events=[chunk("Hel"), chunk("lo."), chunk(finish="stop"), DONE])


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


async def ask(server: ChatServer, written: str = "", **settings: Any) -> list[str]:
    """The pieces of a reply, written as a worker writes it."""
    job: Any = Listener()
    async with server.serving() as url:
        wanted = {"baseUrl": url, "model": "m", **settings}
        agent = OpenAIAgent(settings_for(OpenAIAgent, wanted))
        spec = ReplySpec(provider="openai", history=HISTORY, written=written)
        await write_reply(agent, spec, job)
    return list(job.sent)


async def failure(answer: Answer) -> ProviderError:
    """How asking fails: once, soon, and without a word of the key."""
    server = ChatServer(answer)
    async with asyncio.timeout(5):
        with pytest.raises(ProviderError) as failed:
            await ask(server, patienceSeconds=PATIENCE)
    assert len(server.requests) == 1
    assert KEY not in str(failed.value)
    assert failed.value.__suppress_context__ or failed.value.__context__ is None
    return failed.value


async def test_a_good_reply_arrives() -> None:
    server = ChatServer(GOOD)
    assert await ask(server, temperature=0.5, maxTokens=7) == ["Hel", "lo."]
    (request,) = server.requests
    assert (request["model"], request["temperature"], request["max_tokens"]) == ("m", 0.5, 7)
    assert "tools" not in request
    assert "reasoning_effort" not in request
    assert request["messages"][-1] == {"role": "user", "content": "Hello."}


@pytest.mark.parametrize(
    ("status", "retry"),
    [
        (400, Retry.NEVER),
        (401, Retry.NEVER),
        (403, Retry.NEVER),
        (404, Retry.NEVER),
        (408, Retry.NOW),
        (429, Retry.LATER),
        (500, Retry.NOW),
        (502, Retry.NOW),
        (503, Retry.NOW),
    ],
)
async def test_the_status_says_whether_to_try_again(status: int, retry: Retry) -> None:
    failed = await failure(Answer(status))
    assert (failed.retry, failed.retry_after) == (retry, None)
    assert str(status) in str(failed)


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"Retry-After": "7"}, 7),
        (429, {"Retry-After-Ms": "1500", "Retry-After": "2"}, 1.5),
        (429, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
        (429, {"Retry-After": "soon"}, None),
        (503, {"Retry-After": "20"}, 20),
    ],
)
async def test_a_busy_server_says_when_to_come_again(
    status: int, headers: dict[str, str], seconds: float | None
) -> None:
    failed = await failure(Answer(status, headers=headers))
    assert (failed.retry, failed.retry_after) == (Retry.LATER, seconds)


async def test_waiting_does_not_help_an_empty_account() -> None:
    error = {"code": "insufficient_quota", "type": "insufficient_quota"}
    failed = await failure(Answer(429, error=error, headers={"Retry-After": "1"}))
    assert failed.retry is Retry.NEVER


@pytest.mark.parametrize(
    "answer",
    [
        Answer(silent=True),
        Answer(events=[HANG]),
        Answer(events=[PING]),
        Answer(events=[chunk("Hel"), HANG]),
        Answer(events=[chunk("Hel"), PING]),
    ],
    ids=["no status", "no token", "no token but comments", "mid-stream", "comments mid-stream"],
)
async def test_a_server_that_hangs_is_left_alone(answer: Answer) -> None:
    server = ChatServer(answer)
    async with asyncio.timeout(5):
        with pytest.raises(ProviderError, match=r"in time|nothing for 0\.3 s") as failed:
            await ask(server, patienceSeconds=PATIENCE)
        await server.left.wait()
    assert failed.value.retry is Retry.NOW


@pytest.mark.parametrize(
    "events",
    [
        [chunk("Hel"), RESET],
        [chunk("Hel"), CUT],
        [chunk("Hel"), DONE],
        [chunk("Hel")],
        [],
        [chunk("Hel"), "{not json"],
        [chunk("Hel"), '"text"'],
        [chunk("Hel"), '{"choices": 5}'],
        [chunk("Hel"), '{"choices": [{"delta": null, "finish_reason": "stop"}]}'],
        [chunk("Hel"), '{"hello": "world"}'],
        [chunk("Hel"), chunk(finish="error"), DONE],
        [chunk("Hel"), json.dumps({"error": {"message": KEY, "code": 500}})],
        [chunk("Hel"), json.dumps({"error": KEY})],
    ],
)
async def test_a_reply_that_does_not_come_to_its_end_is_a_failure(events: list[str]) -> None:
    assert (await failure(Answer(events=events))).retry is Retry.NOW


@pytest.mark.parametrize(
    ("error", "retry"),
    [
        ({"code": 429}, Retry.LATER),
        ({"code": "rate_limit_exceeded", "type": "tokens"}, Retry.LATER),
        ({"code": None, "type": "invalid_request_error"}, Retry.NEVER),
        ({"code": "content_filter"}, Retry.NEVER),
        ({"code": 99, "type": ["x"]}, Retry.NOW),
    ],
)
async def test_an_error_in_the_stream_is_sorted_by_its_name(
    error: dict[str, Any], retry: Retry
) -> None:
    event = json.dumps({"error": {"message": KEY, **error}})
    assert (await failure(Answer(events=[chunk("Hel"), event]))).retry is retry


async def test_a_withheld_reply_is_not_asked_for_again() -> None:
    events = [chunk("Hel"), chunk(finish="content_filter"), DONE]
    assert (await failure(Answer(events=events))).retry is Retry.NEVER


@pytest.mark.parametrize("after", [[DONE, HANG], [HANG], [RESET], ["{not json"], []])
async def test_nothing_after_the_end_of_a_reply_can_spoil_it(after: list[str]) -> None:
    events = [chunk("Hello."), chunk(finish="stop"), *after]
    assert await ask(ChatServer(Answer(events=events)), patienceSeconds=1) == ["Hello."]


async def test_a_server_that_is_not_there() -> None:
    agent = OpenAIAgent(settings_for(OpenAIAgent, {"baseUrl": "http://127.0.0.1:9/v1"}))
    job: Any = Listener()
    with pytest.raises(ProviderError, match="cannot be reached") as failed:
        await write_reply(agent, ReplySpec(provider="openai", history=HISTORY), job)
    assert failed.value.retry is Retry.NOW


async def test_closing_the_generator_closes_the_connection() -> None:
    server = ChatServer(Answer(events=[chunk("Hel"), HANG]))
    async with server.serving() as url:
        agent = OpenAIAgent(settings_for(OpenAIAgent, {"baseUrl": url}))
        pieces = agent.generate_response(HISTORY, conversation_id="c")
        assert await anext(pieces) == "Hel"
        await pieces.aclose()
        async with asyncio.timeout(1):
            await server.left.wait()


# --- Keys and settings


async def test_openai_without_a_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    for settings in ({}, {"baseUrl": "http://localhost:1/v1", "apiKey": "env:OPENAI_API_KEY"}):
        with pytest.raises(ProviderError, match="OPENAI_API_KEY") as refused:
            OpenAIAgent(settings_for(OpenAIAgent, settings))
        assert refused.value.retry is Retry.NEVER


async def test_a_server_elsewhere_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    assert await ask(ChatServer(GOOD)) == ["Hel", "lo."]


async def test_a_key_in_place_of_its_reference_is_refused_and_not_shown() -> None:
    with pytest.raises(ProviderError) as refused:
        settings_for(OpenAIAgent, {"apiKey": KEY})
    assert refused.value.retry is Retry.NEVER
    assert KEY not in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        ({}, {"max_completion_tokens": 256, "reasoning_effort": "none"}),
        ({"model": "gpt-5.4-mini"}, {"max_completion_tokens": 256, "reasoning_effort": "none"}),
        ({"model": "gpt-4.1"}, {"max_completion_tokens": 256}),
        (
            {"reasoningEffort": "low", "baseUrl": "https://eu.api.openai.com/v1"},
            {"max_completion_tokens": 256, "reasoning_effort": "low"},
        ),
        ({"baseUrl": "http://openai.com.localhost/v1"}, {"max_tokens": 256}),
        (
            {"baseUrl": "http://localhost:1/v1", "reasoningEffort": "high", "temperature": 1},
            {"max_tokens": 256, "reasoning_effort": "high", "temperature": 1},
        ),
    ],
)
async def test_models_are_asked_in_the_words_that_they_know(
    settings: dict[str, Any], options: dict[str, Any]
) -> None:
    checked = settings_for(OpenAIAgent, settings)
    assert isinstance(checked, OpenAISettings)
    assert checked.options() == options


# --- Tools


def call_piece(index: int | None, arguments: str = "", **named: str) -> str:
    """An event with a piece of a tool call."""
    function = {"arguments": arguments} | ({"name": named["name"]} if "name" in named else {})
    piece = {"index": index, "function": function} | ({"id": named["id"]} if "id" in named else {})
    event = json.loads(chunk())
    event["choices"][0]["delta"] = {"tool_calls": [piece]}
    return json.dumps(event)


def usage_of(read: int, written: int) -> str:
    """The event with what the reply has cost."""
    used = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
    return json.dumps(json.loads(chunk()) | {"choices": [], "usage": used})


async def pieces(server: ChatServer, **settings: Any) -> list[ReplyPiece]:
    """All that the agent yields, with a tool on offer."""
    async with server.serving() as url:
        agent = OpenAIAgent(settings_for(OpenAIAgent, {"baseUrl": url, **settings}))
        return await all_of(agent, HISTORY, tools=[WEATHER])


@pytest.mark.parametrize("indices", [(0, 1), (0, 0), (None, None)])
async def test_parallel_calls_are_put_together(indices: tuple[int | None, ...]) -> None:
    events = []
    for index, (city, number) in zip(indices, (("Rome", "1"), ("Oslo", "2")), strict=True):
        events += [call_piece(index, id=f"call_{number}", name="weather")]
        events += [call_piece(index, part) for part in ('{"ci', f'ty": "{city}"}}')]
    server = ChatServer(Answer(events=[*events, chunk(finish="tool_calls"), usage_of(8, 4), DONE]))
    assert await pieces(server) == [
        ToolCall(id="call_1", name="weather", arguments='{"city": "Rome"}'),
        ToolCall(id="call_2", name="weather", arguments='{"city": "Oslo"}'),
        Usage(8, 4),
    ]


async def test_a_call_without_arguments_and_without_an_id() -> None:
    events = [call_piece(0, name="weather"), chunk(finish="stop"), DONE]
    (call,) = await pieces(ChatServer(Answer(events=events)))
    assert isinstance(call, ToolCall)
    assert (call.name, call.arguments) == ("weather", "{}")
    assert call.id


@pytest.mark.parametrize("arguments", ['{"city": "Ro', '"Rome"', "Rome"])
async def test_a_broken_call_is_a_failure(arguments: str) -> None:
    events = [call_piece(0, arguments, id="1", name="weather"), chunk(finish="length"), DONE]
    assert (await failure(Answer(events=events))).retry is Retry.NOW


async def test_the_cost_may_come_with_the_end_or_never() -> None:
    last = json.loads(chunk(finish="stop")) | {"usage": json.loads(usage_of(3, 2))["usage"]}
    server = ChatServer(Answer(events=[chunk("Hi."), json.dumps(last), DONE]))
    assert await pieces(server) == ["Hi.", Usage(3, 2)]
    assert await pieces(ChatServer(Answer(events=[chunk("Hi."), chunk(finish="stop")]))) == ["Hi."]


@pytest.mark.parametrize("status", [400, 422])
async def test_a_server_that_knows_no_cost_is_asked_without(status: int) -> None:
    refused = Answer(status, error={"message": "Unrecognized request argument: stream_options"})
    server = ChatServer(refused, GOOD)
    async with server.serving() as url:
        agent = OpenAIAgent(settings_for(OpenAIAgent, {"baseUrl": url}))
        for _ in range(2):
            assert await all_of(agent, HISTORY) == ["Hel", "lo."]
    assert ["stream_options" in request for request in server.requests] == [True, False, False]


# --- As it is


async def test_a_whole_exchange_with_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    async with OpenAIServer() as server:
        monkeypatch.setenv("OPENAI_API_KEY", server.key)
        agent = OpenAIAgent(settings_for(OpenAIAgent, server.settings()))
        calls = await exchange(agent)
        assert server.violations == []
    assert [call.id for call in calls] == ["call_0", "call_1"]
    assistant, first, second = server.asked[-1]["messages"][-3:]
    assert [call["id"] for call in assistant["tool_calls"]] == ["call_0", "call_1"]
    assert [first["role"], second["role"]] == ["tool", "tool"]
    assert (first["tool_call_id"], second["tool_call_id"]) == ("call_0", "call_1")


# --- Failures that last


async def test_a_reply_that_another_worker_began_is_gone_on_with() -> None:
    events = [chunk(text) for text in ("Hello", ". How", " are", " you?", " Fine", "?")]
    server = ChatServer(Answer(events=[*events, chunk(finish="stop"), DONE]))
    assert "".join(await ask(server, written="Hello. How are you?")) == "Fine?"
    roles = [(message["role"], message["content"]) for message in server.requests[0]["messages"]]
    assert roles[-2:] == [("assistant", "Hello. How are you?"), ("user", GO_ON)]


async def test_a_server_that_fails_is_left_alone_and_probed() -> None:
    now = 0.0
    handler = Guarded(Stage.AGENT, ReplyHandler(), Breakers(Stage.AGENT, lambda: now))
    broken, busy = Answer(500), Answer(429, headers={"Retry-After": "9"})
    server = ChatServer(broken, broken, broken, busy, GOOD)
    job: Any = Listener()

    async with server.serving() as url:
        spec = ReplySpec(provider="openai", settings={"baseUrl": url}, history=HISTORY)
        asked = JobRequest(
            stage=Stage.AGENT, conversation_id="c", turn=1, attempt=1, spec=spec.model_dump()
        )
        for wait in (0, 0, 1, 9):
            with pytest.raises(ProviderError):
                await handler.open(asked)(job)
            if wait:
                with pytest.raises(BreakerOpen) as refused:
                    handler.open(asked)
                assert (refused.value.retry, refused.value.retry_after) == (Retry.LATER, wait)
            now += wait
            accounts._accounts.clear()  # Of these, the clock is the real one.
        for _ in range(2):
            await handler.open(asked)(job)
    assert job.text == "Hello." * 2
    assert len(server.requests) == 6
