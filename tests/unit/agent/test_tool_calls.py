"""Tool calls from pieces, and histories as the three APIs write them."""

import pytest

from parley.messages import ChatMessage, Retry, ToolCall, ToolDescription
from parley.providers import ProviderError
from parley_agent.clouds import chat_wire, claude_wire
from parley_agent.clouds.tool_calls import CallsInPieces, arguments_of
from parley_agent.clouds.turns import OPENING, alternating, system_prompt

CALL = ToolCall(id="call/1", name="weather", arguments='{"city": "Rome"}')
HISTORY = [
    ChatMessage(role="system", content="Be kind."),
    ChatMessage(role="assistant", content="Hello!"),
    ChatMessage(role="user", content="How is"),
    ChatMessage(role="user", content="the weather?"),
    ChatMessage(role="assistant", content="", tool_calls=[CALL]),
    ChatMessage(role="tool", content="Sunny.", tool_call_id="call/1"),
    ChatMessage(role="user", content="Well?"),
]


def test_pieces_with_the_same_index_are_one_call() -> None:
    calls = CallsInPieces()
    calls.add(0, call_id="a", name="weather")
    calls.add(1, call_id="b", name="clock")
    calls.add(0, arguments='{"city": ')
    calls.add(0, call_id="a", arguments='"Rome"}')
    first, second = calls.whole("it")
    assert first == ToolCall(id="a", name="weather", arguments='{"city": "Rome"}')
    assert second == ToolCall(id="b", name="clock", arguments="{}")


def test_a_new_id_begins_a_new_call() -> None:
    calls = CallsInPieces()
    calls.add(0, call_id="a", name="clock")
    calls.add(0, call_id="b", name="clock", arguments="{}")
    assert [call.id for call in calls.whole("it")] == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "arguments"), [("", "{}"), ("x", "[]"), ("x", '{"a"'), ("x", "a")]
)
def test_a_broken_call_is_a_failure(name: str, arguments: str) -> None:
    calls = CallsInPieces()
    calls.add(0, call_id="a", name=name, arguments=arguments)
    with pytest.raises(ProviderError) as failed:
        calls.whole("it")
    assert failed.value.retry is Retry.NOW


def test_arguments_are_an_object() -> None:
    assert arguments_of(CALL) == {"city": "Rome"}
    assert arguments_of(ToolCall(id="a", name="x", arguments="")) == {}
    with pytest.raises(ValueError, match="object"):
        arguments_of(ToolCall(id="a", name="x", arguments="5"))


def test_turns_alternate_and_the_caller_is_first() -> None:
    said = [("b", [1]), ("b", [2]), ("a", []), ("b", [3]), ("a", [4])]
    assert alternating(said, "a", 0) == [("a", [0]), ("b", [1, 2, 3]), ("a", [4])]
    assert alternating([], "a", 0) == [("a", [0])]


def test_what_is_for_the_model_alone_is_put_together() -> None:
    more = ChatMessage(role="system", content="Be brief.")
    assert system_prompt([*HISTORY, more]) == "Be kind.\n\nBe brief."


def test_openai_is_told_of_calls_and_results() -> None:
    written = chat_wire.messages(HISTORY)
    assert written[0] == {"role": "system", "content": "Be kind."}
    assert written[4] == {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": "call/1",
                "type": "function",
                "function": {"name": "weather", "arguments": '{"city": "Rome"}'},
            }
        ],
    }
    assert written[5] == {"role": "tool", "tool_call_id": "call/1", "content": "Sunny."}


def test_claude_is_told_in_turns() -> None:
    opening, hello, question, called, results = claude_wire.messages(HISTORY)
    assert opening["content"] == [{"type": "text", "text": OPENING}]
    assert hello["role"] == "assistant"
    assert [block["text"] for block in question["content"]] == ["How is", "the weather?"]
    (use,) = called["content"]
    assert use == {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Rome"}}
    result, text = results["content"]
    assert result == {"type": "tool_result", "tool_use_id": "call_1", "content": "Sunny."}
    assert text["text"] == "Well?"


def test_claude_is_told_of_tools_that_were_called_before() -> None:
    told = claude_wire.tools([], HISTORY)
    assert [tool["name"] for tool in told["tools"]] == ["weather"]
    assert told["tool_choice"] == {"type": "none"}
    assert claude_wire.tools([], HISTORY[:3]) == {}
    offered = claude_wire.tools([ToolDescription(name="clock")], HISTORY)
    assert [tool["name"] for tool in offered["tools"]] == ["clock"]
    assert "tool_choice" not in offered
