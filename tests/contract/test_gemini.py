"""Gemini, asked with the real SDK: what is particular to its protocol."""

import asyncio
import json
import logging
from base64 import b64decode
from typing import Any

import pytest

from contract.servers.base import RETRY_AFTER, Fault
from contract.servers.gemini_api import SIGNATURE, GeminiServer
from parley.messages import ChatMessage, Retry, ToolCall
from parley.providers import ProviderError, ReplyPiece, Usage, settings_for
from parley_agent.clouds.gemini_wire import UNSIGNED
from parley_agent.providers.gemini import GeminiAgent
from support.agents import CLOCK, GREETED, WEATHER, all_of, exchange
from support.chat_server import CUT, HANG, RESET, Answer, ChatServer

KEY = "AIza-a-very-secret-key"
HISTORY = [ChatMessage(role="user", content="Hello.")]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)


def said(*parts: dict[str, Any], finish: str | None = None, **more: Any) -> str:
    """A chunk with these parts of the reply."""
    candidate: dict[str, Any] = {"index": 0, "content": {"role": "model", "parts": list(parts)}}
    if finish is not None:
        candidate["finishReason"] = finish
    return json.dumps({"candidates": [candidate], **more})


def text(piece: str, **more: Any) -> dict[str, Any]:
    return {"text": piece, **more}


def called(name: str, **args: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name, "args": args}}


USED = {"promptTokenCount": 7, "candidatesTokenCount": 2, "thoughtsTokenCount": 3}
HEL = said(text("Hel"))
STOP = said(text("lo."), finish="STOP", usageMetadata=USED)


async def ask(server: ChatServer, **settings: Any) -> list[ReplyPiece]:
    """All that the agent yields, with a tool on offer."""
    async with server.serving() as url:
        wanted = {"baseUrl": url.removesuffix("/v1"), "patienceSeconds": 1, **settings}
        agent = GeminiAgent(settings_for(GeminiAgent, wanted))
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
    async with GeminiServer() as server:
        monkeypatch.setenv("GEMINI_API_KEY", server.key)
        calls = await exchange(GeminiAgent(settings_for(GeminiAgent, server.settings())))
        assert server.violations == []
    assert [bool(call.signature) for call in calls] == [True, False]
    first, _, last = server.asked
    assert first["systemInstruction"]["parts"] == [{"text": GREETED[0].content}]
    assert [content["role"] for content in first["contents"]] == ["user", "model", "user"]
    config = first["generationConfig"]
    assert config["maxOutputTokens"] == 256
    assert list(config["thinkingConfig"].values()) == ["MINIMAL"]
    asked, results = last["contents"][-2:]
    _, one, two = asked["parts"]
    assert b64decode(one["thoughtSignature"]) == b64decode(SIGNATURE)
    assert "thoughtSignature" not in two
    assert [part["functionResponse"]["name"] for part in results["parts"]] == ["weather", "clock"]


async def test_the_server_is_given_no_deadline_for_the_whole_reply(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would cut off a long one; the SDK's timeout is such a deadline."""
    async with GeminiServer() as server:
        monkeypatch.setenv("GEMINI_API_KEY", server.key)
        server.fault = Fault.SILENT_STOP
        with pytest.raises(ProviderError):
            await all_of(GeminiAgent(settings_for(GeminiAgent, server.settings())), HISTORY)
        (headers,) = server.headers
    assert "X-Server-Timeout" not in headers


async def test_a_call_of_another_model_is_marked_as_such() -> None:
    server = ChatServer(Answer(events=[HEL, STOP]))
    calls = [ToolCall(id="a", name="weather", arguments='{"city": "Rome"}')]
    calls.append(ToolCall(id="b", name="clock"))
    history = [
        *HISTORY,
        ChatMessage(role="assistant", content="", tool_calls=calls),
        ChatMessage(role="tool", content="Sunny.", tool_call_id="a"),
        ChatMessage(role="tool", content="Noon.", tool_call_id="b"),
    ]
    async with server.serving() as url:
        wanted = {"baseUrl": url.removesuffix("/v1"), "thinkingLevel": None}
        await all_of(GeminiAgent(settings_for(GeminiAgent, wanted)), history, [WEATHER, CLOCK])
    (request,) = server.requests
    one, two = request["contents"][1]["parts"]
    assert b64decode(one["thoughtSignature"]) == UNSIGNED
    assert "thoughtSignature" not in two
    assert request["contents"][2]["parts"][1]["functionResponse"]["response"] == {"output": "Noon."}
    assert "thinkingConfig" not in request["generationConfig"]


async def test_thoughts_are_not_spoken_but_counted() -> None:
    events = [said(text("I must think.", thought=True)), said(text("Hel"), text("lo")), STOP]
    assert await ask(ChatServer(Answer(events=events))) == ["Hello", "lo.", Usage(7, 5)]


async def test_parallel_calls_without_ids_are_given_some() -> None:
    event = said(called("weather", city="Rome"), called("weather", city="Oslo"), finish="STOP")
    first, second = await ask(ChatServer(Answer(events=[event])))
    assert isinstance(first, ToolCall)
    assert isinstance(second, ToolCall)
    assert [first.arguments, second.arguments] == ['{"city": "Rome"}', '{"city": "Oslo"}']
    assert first.id != second.id


async def test_the_cost_may_come_after_the_end() -> None:
    events = [said(text("Hi."), finish="STOP"), json.dumps({"usageMetadata": USED})]
    assert await ask(ChatServer(Answer(events=events))) == ["Hi.", Usage(7, 5)]


@pytest.mark.parametrize(
    ("code", "retry"),
    [
        (500, Retry.NOW),
        (503, Retry.NOW),
        (499, Retry.NOW),
        (None, Retry.NOW),
        ("503", Retry.NOW),
        (429, Retry.LATER),
        (400, Retry.NEVER),
        (403, Retry.NEVER),
    ],
)
async def test_an_error_in_the_stream_is_sorted_by_its_code(
    code: int | str | None, retry: Retry
) -> None:
    event = json.dumps({"error": {"code": code, "message": KEY, "status": "X"}})
    assert (await failure(Answer(events=[HEL, event]))).retry is retry


@pytest.mark.parametrize(
    "events",
    [
        [HEL, RESET],
        [HEL, CUT],
        [HEL],
        [],
        [HEL, "{not json"],
        [HEL, '"text"'],
        [HEL, '{"candidates": 5}'],
        [HEL, said({"functionCall": {"args": {}}}, finish="STOP")],
        [HEL, said(finish="MALFORMED_FUNCTION_CALL")],
        [HEL, said(finish="OTHER")],
        [HEL, said(finish="A_REASON_OF_TOMORROW")],
        [HEL, said(finish="CONTINUATION")],
    ],
)
@pytest.mark.filterwarnings("ignore:.*is not a valid FinishReason")
async def test_a_reply_that_does_not_come_to_its_end_is_a_failure(events: list[str]) -> None:
    assert (await failure(Answer(events=events))).retry is Retry.NOW


@pytest.mark.parametrize(
    "event",
    [
        said(finish="SAFETY"),
        said(finish="PROHIBITED_CONTENT"),
        json.dumps({"promptFeedback": {"blockReason": "SAFETY"}}),
    ],
)
async def test_a_withheld_reply_is_not_asked_for_again(event: str) -> None:
    assert (await failure(Answer(events=[event]))).retry is Retry.NEVER


@pytest.mark.parametrize("after", [[HANG], [RESET], ["{not json"], []])
async def test_nothing_after_the_end_of_a_reply_can_spoil_it(after: list[str]) -> None:
    server = ChatServer(Answer(events=[HEL, STOP, *after]))
    assert await ask(server) == ["Hel", "lo.", Usage(7, 5)]


@pytest.mark.parametrize(
    ("status", "error", "retry"),
    [
        (400, {"status": "INVALID_ARGUMENT"}, Retry.NEVER),
        (401, {}, Retry.NEVER),
        (403, {}, Retry.NEVER),
        (404, {}, Retry.NEVER),
        (408, {}, Retry.NOW),
        (429, {}, Retry.LATER),
        (499, {}, Retry.NOW),
        (500, {}, Retry.NOW),
        (503, {}, Retry.NOW),
    ],
)
async def test_the_status_says_whether_to_try_again(
    status: int, error: dict[str, Any], retry: Retry
) -> None:
    assert (await failure(Answer(status, error=error))).retry is retry


async def test_a_wrong_key_is_told_from_a_wrong_request() -> None:
    """Both come with 400."""
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
    assert "key" in str(await failure(Answer(400, error={"code": 400, "details": details})))


@pytest.mark.parametrize("in_header", [True, False])
async def test_a_busy_server_says_when_to_come_again(in_header: bool) -> None:
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{RETRY_AFTER}s"}
    headers = {"Retry-After": str(RETRY_AFTER)} if in_header else {}
    error = {"code": 429, "details": [] if in_header else [info]}
    failed = await failure(Answer(429, headers=headers, error=error))
    assert (failed.retry, failed.retry_after) == (Retry.LATER, RETRY_AFTER)


@pytest.mark.parametrize(
    "answer",
    [Answer(silent=True), Answer(events=[HEL, HANG])],
    ids=["no status", "mid-stream"],
)
async def test_cancelling_closes_the_connection(answer: Answer) -> None:
    server = ChatServer(answer)
    async with server.serving() as url, asyncio.timeout(5):
        agent = GeminiAgent(settings_for(GeminiAgent, {"baseUrl": url.removesuffix("/v1")}))
        asking = asyncio.create_task(all_of(agent, HISTORY))
        while not server.requests:
            await asyncio.sleep(0.01)
        asking.cancel()
        await server.left.wait()
        with pytest.raises(asyncio.CancelledError):
            await asking


async def test_closing_between_two_pieces_closes_the_connection() -> None:
    """Although the SDK's own generators are still open, and referred to."""
    server = ChatServer(Answer(events=[HEL, HANG]))
    async with server.serving() as url, asyncio.timeout(5):
        agent = GeminiAgent(settings_for(GeminiAgent, {"baseUrl": url.removesuffix("/v1")}))
        pieces = agent.generate_response(HISTORY, conversation_id="c")
        assert await anext(pieces) == "Hel"
        await pieces.aclose()
        await server.left.wait()


async def test_a_server_that_hangs_is_given_up() -> None:
    assert (await failure(Answer(silent=True))).retry is Retry.NOW


async def test_the_key_is_needed_and_in_no_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await failure(Answer(401))
    assert KEY not in caplog.text
    monkeypatch.delenv("GEMINI_API_KEY")
    with pytest.raises(ProviderError, match="GEMINI_API_KEY") as refused:
        GeminiAgent(settings_for(GeminiAgent, {}))
    assert refused.value.retry is Retry.NEVER
