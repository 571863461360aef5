"""Agents asked as a worker asks them."""

from collections.abc import Sequence
from contextlib import aclosing

from parley.messages import ChatMessage, ToolCall, ToolDescription
from parley.providers import Agent, ReplyPiece, Usage

WEATHER = ToolDescription(
    name="weather",
    description="Tells the weather.",
    parameters={
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
)
CLOCK = ToolDescription(name="clock", description="Tells the time.")
GREETED = [
    ChatMessage(role="system", content="You are a friendly voice assistant."),
    ChatMessage(role="assistant", content="Hello! What can I do for you?"),
]
"""A call as it begins: the agent has spoken first."""


async def all_of(
    agent: Agent, history: Sequence[ChatMessage], tools: Sequence[ToolDescription] = ()
) -> list[ReplyPiece]:
    """All that the agent yields."""
    asked = agent.generate_response(history, conversation_id="c", tools=tools)
    async with aclosing(asked) as pieces:
        return [piece async for piece in pieces]


async def exchange(agent: Agent) -> list[ToolCall]:
    """The agent calls two tools at once, is given their results, and replies. The calls."""
    tools = [WEATHER, CLOCK]
    said = 'Please use weather {"city": "Rome"} and use clock {}'
    history = [*GREETED, ChatMessage(role="user", content=said)]
    first = await all_of(agent, history, tools)
    calls = [piece for piece in first if isinstance(piece, ToolCall)]
    assert [(call.name, call.arguments) for call in calls] == [
        ("weather", '{"city": "Rome"}'),
        ("clock", "{}"),
    ]
    spoken = "".join(piece for piece in first if isinstance(piece, str))
    assert isinstance(first[-1], Usage)
    results = [
        ChatMessage(role="tool", content="It is sunny.", tool_call_id=call.id) for call in calls
    ]
    asked = ChatMessage(role="assistant", content=spoken, tool_calls=calls)
    for offered in (tools, []):
        second = await all_of(agent, [*history, asked, *results], offered)
        assert any(isinstance(piece, str) and piece.strip() for piece in second)
        assert isinstance(second[-1], Usage)
        assert second[-1].input_tokens > 0
        assert second[-1].output_tokens > 0
    return calls
