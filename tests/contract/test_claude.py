"""Claude, asked with the real SDK: what is particular to Anthropic's protocol."""

import asyncio
import json
import logging
from typing import Any

import pytest

from contract.servers.anthropic_api import AnthropicServer
from contract.servers.base import RETRY_AFTER, Fault
from parley.messages import ChatMessage, Retry, ToolCall
from parley.providers import ProviderError, ReplyPiece, Usage, settings_for
from parley_agent.providers.claude import ClaudeAgent
from support.agents import GREETED, WEATHER, all_of, exchange
from support.chat_server import CUT, HANG, PING, RESET, Answer, ChatServer

KEY = "sk-ant-a-very-secret-key"
HISTORY = [ChatMessage(role="user", content="Hello.")]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)


def event(kind: str, **said: Any) -> str:
    """A named event."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **said})}\n\n"


def begin(index: int, **block: Any) -> str:
    return event("content_block_start", index=index, content_block=block)


def delta(index: int, kind: str, **said: Any) -> str:
    return event("content_block_delta", index=index, delta={"type": kind, **said})


def end(reason: str | None, written: int = 5) -> str:
    said = {"stop_reason": reason, "stop_sequence": None}
    return event("message_delta", delta=said, usage={"output_tokens": written})


def error(kind: str, **more: Any) -> str:
    return event("error", error={"type": kind, "message": f"not with {KEY}", **more})


START = event(
    "message_start",
    message={
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 3, "cache_read_input_tokens": 100, "output_tokens": 1},
    },
)
HEL = [START, begin(0, type="text", text=""), delta(0, "text_delta", text="Hel")]
STOP = [event("content_block_stop", index=0), end("end_turn"), event("message_stop")]


async def ask(server: ChatServer, **settings: Any) -> list[ReplyPiece]:
    """All that the agent yields, with a tool on offer."""
    async with server.serving() as url:
        wanted = {"baseUrl": url.removesuffix("/v1"), "patienceSeconds": 1, **settings}
        agent = ClaudeAgent(settings_for(ClaudeAgent, wanted))
        return await all_of(agent, HISTORY, [WEATHER])


async def failure(answer: Answer) -> ProviderError:
    """How asking fails: once, soon, and without a word of the key."""
    server = ChatServer(answer)
    async with asyncio.timeout(5):
        with pytest.raises(ProviderError) as failed:
            await ask(server)
    assert len(server.requests) == 1
    assert KEY not in str(failed.value)
    assert failed.value.__suppress_context__ or failed.value.__context__ is None
    return failed.value


async def test_a_whole_exchange_with_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    async with AnthropicServer() as server:
        monkeypatch.setenv("ANTHROPIC_API_KEY", server.key)
        await exchange(ClaudeAgent(settings_for(ClaudeAgent, server.settings())))
        assert server.violations == []
    first, _, last = server.asked
    assert first["model"] == "claude-haiku-5-5"
    assert first["thinking"] == {"type": "disabled"}
    assert first["system"] == GREETED[0].content
    assert [message["role"] for message in first["messages"]] == ["user", "assistant", "user"]
    results = last["messages"][-1]["content"]
    assert [block["tool_use_id"] for block in results] == ["toolu_call_0", "toolu_call_1"]
    assert last["tool_choice"] == {"type": "none"}


async def test_what_a_reply_costs_counts_what_came_from_a_cache() -> None:
    assert await ask(ChatServer(Answer(events=[*HEL, *STOP]))) == ["Hel", Usage(103, 5)]


async def test_thoughts_are_not_spoken() -> None:
    thought = [
        begin(0, type="thinking", thinking="", signature=""),
        delta(0, "thinking_delta", thinking="Hm."),
        delta(0, "signature_delta", signature="x"),
        event("content_block_stop", index=0),
    ]
    said = [begin(1, type="text", text=""), delta(1, "text_delta", text="Hello."), *STOP]
    assert (await ask(ChatServer(Answer(events=[START, *thought, *said]))))[:-1] == ["Hello."]


async def test_a_call_without_arguments() -> None:
    called = begin(0, type="tool_use", id="t", name="weather", input={})
    events = [START, called, delta(0, "input_json_delta", partial_json=""), end("tool_use")]
    first, *_ = await ask(ChatServer(Answer(events=events)))
    assert first == ToolCall(id="t", name="weather")


async def test_a_call_that_is_cut_off_is_a_failure() -> None:
    called = begin(0, type="tool_use", id="t", name="weather", input={})
    piece = delta(0, "input_json_delta", partial_json='{"ci')
    failed = await failure(Answer(events=[START, called, piece, end("max_tokens")]))
    assert failed.retry is Retry.NOW


@pytest.mark.parametrize(
    ("kind", "retry"),
    [
        ("overloaded_error", Retry.NOW),
        ("api_error", Retry.NOW),
        ("timeout_error", Retry.NOW),
        ("an_error_of_tomorrow", Retry.NOW),
        ("rate_limit_error", Retry.LATER),
        ("invalid_request_error", Retry.NEVER),
        ("authentication_error", Retry.NEVER),
        ("permission_error", Retry.NEVER),
        ("billing_error", Retry.NEVER),
    ],
)
async def test_an_error_in_the_stream_is_sorted_by_its_name(kind: str, retry: Retry) -> None:
    """The SDK says of all of them that their status is 200."""
    assert (await failure(Answer(events=[*HEL, error(kind)]))).retry is retry


@pytest.mark.parametrize(
    "events",
    [
        [*HEL, RESET],
        [*HEL, CUT],
        HEL,
        [*HEL, event("message_stop")],
        [*HEL, end(None), event("message_stop")],
        [],
        [*HEL, "event: content_block_delta\ndata: {not json\n\n"],
        [*HEL, 'event: content_block_delta\ndata: "text"\n\n'],
        [*HEL, event("content_block_delta", index=0)],
        [*HEL, event("message_delta")],
        [*HEL, "event: error\ndata: nothing\n\n"],
    ],
)
async def test_a_reply_that_does_not_come_to_its_end_is_a_failure(events: list[str]) -> None:
    assert (await failure(Answer(events=events))).retry is Retry.NOW


async def test_a_refusal_is_not_asked_for_again() -> None:
    assert (await failure(Answer(events=[*HEL, end("refusal")]))).retry is Retry.NEVER


@pytest.mark.parametrize("after", [[HANG], [RESET], ["event: ping\ndata: {no\n\n"], []])
async def test_nothing_after_the_end_of_a_reply_can_spoil_it(after: list[str]) -> None:
    server = ChatServer(Answer(events=[*HEL, end("end_turn"), *after]))
    assert (await ask(server))[:-1] == ["Hel"]


async def test_events_of_tomorrow_are_passed_over() -> None:
    new = [event("something_new", of="tomorrow"), begin(7, type="new_block", x=1)]
    assert (await ask(ChatServer(Answer(events=[*HEL, *new, *STOP]))))[:-1] == ["Hel"]


@pytest.mark.parametrize(
    ("status", "error", "retry"),
    [
        (400, {"type": "invalid_request_error"}, Retry.NEVER),
        (400, {"type": "billing_error"}, Retry.NEVER),
        (401, {}, Retry.NEVER),
        (403, {}, Retry.NEVER),
        (404, {}, Retry.NEVER),
        (408, {}, Retry.NOW),
        (413, {}, Retry.NEVER),
        (429, {}, Retry.LATER),
        (500, {}, Retry.NOW),
        (529, {"type": "overloaded_error"}, Retry.NOW),
    ],
)
async def test_the_status_says_whether_to_try_again(
    status: int, error: dict[str, Any], retry: Retry
) -> None:
    assert (await failure(Answer(status, error=error))).retry is retry


async def test_a_busy_server_says_when_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with AnthropicServer() as server:
        monkeypatch.setenv("ANTHROPIC_API_KEY", server.key)
        agent = ClaudeAgent(settings_for(ClaudeAgent, server.settings()))
        server.fault = Fault.BUSY
        with pytest.raises(ProviderError) as failed:
            await all_of(agent, HISTORY)
        assert (failed.value.retry, failed.value.retry_after) == (Retry.LATER, RETRY_AFTER)
        with pytest.raises(ProviderError, match="left alone"):
            await all_of(agent, HISTORY)
        assert server.requests == 1


@pytest.mark.parametrize(
    "answer",
    [Answer(silent=True), Answer(events=[START, PING]), Answer(events=[*HEL, HANG])],
    ids=["no status", "comments", "mid-stream"],
)
async def test_closing_closes_the_connection(answer: Answer) -> None:
    server = ChatServer(answer)
    async with server.serving() as url, asyncio.timeout(5):
        wanted = {"baseUrl": url.removesuffix("/v1")}
        agent = ClaudeAgent(settings_for(ClaudeAgent, wanted))
        asking = asyncio.create_task(all_of(agent, HISTORY))
        while not server.requests:
            await asyncio.sleep(0.01)
        asking.cancel()
        await server.left.wait()
        with pytest.raises(asyncio.CancelledError):
            await asking


async def test_the_key_is_needed_and_in_no_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await failure(Answer(401))
    assert KEY not in caplog.text
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    with pytest.raises(ProviderError, match="ANTHROPIC_API_KEY") as refused:
        ClaudeAgent(settings_for(ClaudeAgent, {}))
    assert refused.value.retry is Retry.NEVER
