"""What every agent must do, whoever provides it."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import aclosing

import pytest

from conformance import candidates
from contract.servers.base import RETRY_AFTER, ContractServer, Fault
from parley.messages import ChatMessage, Retry, ToolDescription
from parley.patience import Patience, within
from parley.providers import Agent, Provider, ProviderError, ProviderSettings, ToolCall, Usage
from parley.subjects import Stage

pytestmark = pytest.mark.parametrize("candidate", candidates.of(Stage.AGENT), ids=str)

SYSTEM = ChatMessage(role="system", content="Answer in one short sentence.")
QUESTION = ChatMessage(role="user", content="What is the capital of France?")
WEATHER = ToolDescription(
    name="weather",
    description="The weather in a city.",
    parameters={
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
)
SECONDS = 20.0
"""The embedded model is loaded first."""
IMPATIENT = Patience(first=0.5, between=0.5)
Piece = str | ToolCall | Usage


@pytest.fixture
def agent(kind: type[Provider], settings: ProviderSettings) -> Agent:
    assert issubclass(kind, Agent)
    return kind(settings)


async def replied(
    agent: Agent,
    history: Sequence[ChatMessage] = (SYSTEM, QUESTION),
    tools: Sequence[ToolDescription] = (),
    patience: Patience | None = None,
) -> list[Piece]:
    """All pieces of a reply."""
    reply = agent.generate_response(history, conversation_id="c", tools=tools)
    async with (
        asyncio.timeout(SECONDS),
        aclosing(within(patience or agent.patience, reply, "the agent")) as pieces,
    ):
        return [piece async for piece in pieces]


def text(pieces: Sequence[Piece]) -> str:
    return "".join(piece for piece in pieces if isinstance(piece, str))


async def failure(agent: Agent, patience: Patience | None = None) -> ProviderError:
    """How replying fails."""
    with pytest.raises(ProviderError) as failed:
        await replied(agent, patience=patience)
    return failed.value


async def test_conversation(agent: Agent, server: ContractServer | None) -> None:
    pieces = await replied(agent)
    assert "Paris" in text(pieces)
    said = ChatMessage(role="assistant", content=text(pieces))
    again = ChatMessage(role="user", content="And of Italy?")
    pieces = await replied(agent, [SYSTEM, QUESTION, said, again])
    assert text(pieces)
    if server is not None:
        (usage,) = [piece for piece in pieces if isinstance(piece, Usage)]
        assert usage.input_tokens > 0
        assert usage.output_tokens > 0


async def test_interruption(agent: Agent) -> None:
    """The history holds a reply that was cut off, and what the caller said into it."""
    cut = ChatMessage(role="assistant", content="The capital of")
    history = [SYSTEM, QUESTION, cut, ChatMessage(role="user", content="No wait, of Spain.")]
    reply = agent.generate_response(history, conversation_id="c", is_interrupt=True)
    async with asyncio.timeout(SECONDS), aclosing(reply) as pieces:
        assert text([piece async for piece in pieces])


async def test_going_on(agent: Agent) -> None:
    """A reply that another worker began is gone on with."""
    if not agent.capabilities.continues_reply:
        pytest.skip("not applicable: the worker has the reply written anew")
    begun = ChatMessage(role="assistant", content="The capital of France")
    assert text(await replied(agent, [SYSTEM, QUESTION, begun]))


async def test_cancel(agent: Agent, server: ContractServer | None) -> None:
    """Closed after its first words, it lets go of the stream at once."""
    reply = agent.generate_response([SYSTEM, QUESTION], conversation_id="c")
    async with asyncio.timeout(SECONDS):
        while not isinstance(await anext(reply), str):
            pass
        await reply.aclose()
    if server is not None:
        async with asyncio.timeout(1.0):
            while server.streams or not server.cancelled:
                await asyncio.sleep(0.01)


async def test_two_calls(agent: Agent) -> None:
    """Two calls at once get each its own reply."""
    spain = ChatMessage(role="user", content="What is the capital of Spain?")
    one, other = await asyncio.gather(replied(agent), replied(agent, [SYSTEM, spain]))
    assert "Paris" in text(one)
    assert "Madrid" in text(other)


async def test_tool(agent: Agent) -> None:
    """It calls a tool, and replies with what that has given."""
    asked = ChatMessage(role="user", content='Please use weather {"city": "Paris"} for me.')
    pieces = await replied(agent, [SYSTEM, asked], [WEATHER])
    (call,) = [piece for piece in pieces if isinstance(piece, ToolCall)]
    assert call.name == "weather"
    assert json.loads(call.arguments) == {"city": "Paris"}
    history = [
        SYSTEM,
        asked,
        ChatMessage(role="assistant", content=text(pieces), tool_calls=[call]),
        ChatMessage(role="tool", content='{"sky": "clear"}', tool_call_id=call.id),
    ]
    assert text(await replied(agent, history, [WEATHER]))


async def test_parallel_tools(agent: Agent) -> None:
    """Two calls at once, each with a result, and talk after that."""
    said = 'Please use weather {"city": "Paris"} and use weather {"city": "Rome"} for me.'
    asked = ChatMessage(role="user", content=said)
    pieces = await replied(agent, [SYSTEM, asked], [WEATHER])
    calls = [piece for piece in pieces if isinstance(piece, ToolCall)]
    assert [json.loads(call.arguments)["city"] for call in calls] == ["Paris", "Rome"]
    assert len({call.id for call in calls}) == 2
    results = [ChatMessage(role="tool", content="clear", tool_call_id=call.id) for call in calls]
    history = [
        SYSTEM,
        asked,
        ChatMessage(role="assistant", content=text(pieces), tool_calls=calls),
        *results,
        ChatMessage(role="assistant", content="The sky is clear in both."),
        QUESTION,
    ]
    assert "Paris" in text(await replied(agent, history, [WEATHER]))


async def test_unauthorized(agent: Agent, server: ContractServer) -> None:
    server.fault = Fault.UNAUTHORIZED
    failed = await failure(agent)
    assert failed.retry is Retry.NEVER
    assert server.requests == 1
    assert server.key not in str(failed)


async def test_forbidden(agent: Agent, server: ContractServer) -> None:
    server.fault = Fault.FORBIDDEN
    assert (await failure(agent)).retry is Retry.NEVER


async def test_busy(agent: Agent, server: ContractServer) -> None:
    server.fault = Fault.BUSY
    failed = await failure(agent)
    assert (failed.retry, failed.retry_after) == (Retry.LATER, RETRY_AFTER)
    assert server.requests == 1


async def test_broken(agent: Agent, server: ContractServer) -> None:
    server.fault = Fault.BROKEN
    assert (await failure(agent)).retry is Retry.NOW
    assert server.requests == 1


async def test_reset(agent: Agent, server: ContractServer) -> None:
    server.fault = Fault.RESET
    assert (await failure(agent)).retry is Retry.NOW


async def test_silent_stop(agent: Agent, server: ContractServer) -> None:
    """A stream that just ends has not come to its end."""
    server.fault = Fault.SILENT_STOP
    assert (await failure(agent)).retry is Retry.NOW


async def test_malformed(agent: Agent, server: ContractServer) -> None:
    server.fault = Fault.MALFORMED
    assert (await failure(agent)).retry is Retry.NOW


async def test_slow(agent: Agent, server: ContractServer) -> None:
    """A server that says nothing is let go of."""
    server.fault = Fault.SLOW
    assert (await failure(agent, IMPATIENT)).retry is Retry.NOW


async def test_late_text(agent: Agent, server: ContractServer) -> None:
    """What comes after a cancel reaches nobody, and the next reply is whole."""
    server.fault, server.faults_left = Fault.LATE_AUDIO, 1
    reply = agent.generate_response([SYSTEM, QUESTION], conversation_id="c")
    async with asyncio.timeout(SECONDS):
        await anext(reply)
        await reply.aclose()
    assert "Paris" in text(await replied(agent))
