"""A model that calls tools: rounds, results, failures, and what another worker had begun."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from typing import Any, ClassVar

import pytest
from prometheus_client import REGISTRY

from parley.messages import (
    ChatMessage,
    JobRequest,
    ReplySpec,
    ReplyText,
    ToolCall,
    ToolDescription,
    ToolReturned,
    ToolsCalled,
)
from parley.providers import (
    Agent,
    AgentCapabilities,
    ProviderError,
    ProviderSettings,
    ReplyPiece,
    Usage,
)
from parley.subjects import Stage
from parley_agent.rounds import MAX_CALLS, MAX_ROUNDS, Rounds
from parley_agent.tools.base import Tool, ToolFailed
from parley_agent.tools.running import OUTCOME_UNKNOWN

ASKED = [{"role": "user", "content": "What is the weather?"}]


class Scripted(Agent):
    """Says and calls what stands in its script, a round each time that it is asked."""

    capabilities: ClassVar = AgentCapabilities(calls_tools=True)

    def __init__(self, *script: Sequence[ReplyPiece]) -> None:
        super().__init__(ProviderSettings())
        self.script = list(script)
        self.asked: list[list[ChatMessage]] = []
        self.offered: list[str] = []

    async def generate_response(
        self,
        history: Sequence[ChatMessage],
        *,
        conversation_id: str,
        is_interrupt: bool = False,
        tools: Sequence[ToolDescription] = (),
    ) -> AsyncGenerator[ReplyPiece, None]:
        self.asked.append(list(history))
        self.offered = [tool.name for tool in tools]
        for piece in self.script.pop(0) if len(self.script) > 1 else self.script[0]:
            yield piece


class Weather(Tool):
    """Needs a city. `Hell` fails, `Limbo` never answers."""

    timeout_seconds = 0.02
    filler = "Let me look."
    filler_after_ms = 300

    def __init__(self, name: str = "weather", *, may_repeat: bool = False) -> None:
        city = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
        super().__init__(ToolDescription(name=name, parameters=city))
        self.may_repeat = may_repeat
        self.called: list[tuple[str, str]] = []
        self.cancelled = 0

    async def call(self, arguments: dict[str, Any], key: str) -> str:
        self.called.append((arguments["city"], key))
        match arguments["city"]:
            case "Hell":
                raise ToolFailed("Nobody comes back from there.")
            case "Styx":
                raise ZeroDivisionError("secret")
            case "Limbo":
                try:
                    await asyncio.Event().wait()
                finally:
                    self.cancelled += 1
        return f"sunny in {arguments['city']}"


class Farewell(Tool):
    """Ends the reply once something was said."""

    async def call(self, arguments: dict[str, Any], key: str) -> str:
        return "Soon."

    def ends_reply(self, *, said: bool) -> bool:
        return said


class FakeJob:
    request = JobRequest(stage=Stage.AGENT, conversation_id="c", turn=4, attempt=1, spec={})

    def __init__(self) -> None:
        self.sent: list[tuple[type, dict[str, Any]]] = []

    async def send(self, kind: type, **fields: Any) -> None:
        self.sent.append((kind, fields))

    def of(self, kind: type) -> list[dict[str, Any]]:
        return [fields for one, fields in self.sent if one is kind]


def call(city: str, at: int = 1, tool: str = "weather") -> ToolCall:
    return ToolCall(id=f"id-{at}", name=tool, arguments=json.dumps({"city": city}))


async def reply(agent: Agent, *tools: Tool, **spec: Any) -> FakeJob:
    job = FakeJob()
    running: Any = job
    wanted = ReplySpec.model_validate({"provider": "scripted", "history": ASKED, **spec})
    await Rounds(agent, wanted, {tool.name: tool for tool in tools}, running).run()
    return job


async def test_calls_run_at_once_and_the_model_goes_on_with_what_they_gave() -> None:
    calls = [call("Rome"), call("Oslo", 2)]
    agent, weather = Scripted(["Let me see. ", *calls], ["Sunny."]), Weather()
    job = await reply(agent, weather)
    kinds = [kind for kind, _ in job.sent]
    assert kinds == [ReplyText, ToolsCalled, ToolReturned, ToolReturned, ReplyText]
    assert job.of(ToolsCalled) == [
        {"calls": calls, "filler": "Let me look.", "filler_after_ms": 300}
    ]
    assert agent.offered == ["weather"]
    assert agent.asked[1][1:] == [
        ChatMessage(role="assistant", content="Let me see. ", tool_calls=calls),
        ChatMessage(role="tool", content="sunny in Rome", tool_call_id="id-1"),
        ChatMessage(role="tool", content="sunny in Oslo", tool_call_id="id-2"),
    ]
    assert weather.called == [("Rome", "c-4-id-1"), ("Oslo", "c-4-id-2")]


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (call("Hell"), "It failed. Nobody comes back from there."),
        (call("Styx"), "It failed."),
        (call("Limbo"), "It has not answered within 0.02 s. It may be done or not."),
        (call("Rome", tool="whether"), "There is no tool 'whether'. There are: weather."),
        (
            ToolCall(id="x", name="weather", arguments='{"city": 7}'),
            "The arguments are wrong. city: 7 is not of type 'string'. Call it again.",
        ),
        (ToolCall(id="x", name="weather", arguments="[]"), "They are not a JSON object."),
        (ToolCall(id="x", name="weather", arguments='{"ci'), "They are not JSON:"),
    ],
)
async def test_a_tool_that_fails_or_hangs_never_kills_the_reply(
    wanted: ToolCall, told: str
) -> None:
    job = await reply(Scripted([wanted], ["I am sorry."]), Weather())
    (returned,) = job.of(ToolReturned)
    assert not returned["ok"]
    assert told in returned["content"]
    assert job.of(ReplyText) == [{"text": "I am sorry."}]


async def test_an_interruption_cancels_what_is_under_way() -> None:
    weather, job = Weather(), FakeJob()
    weather.timeout_seconds = 30
    running: Any = job
    spec = ReplySpec.model_validate({"provider": "scripted", "history": ASKED})
    rounds = Rounds(Scripted([call("Limbo")]), spec, {"weather": weather}, running)
    task = asyncio.create_task(rounds.run())
    while not weather.called:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert weather.cancelled == 1


async def test_calls_that_are_held_are_told_and_not_run() -> None:
    agent, weather = Scripted(["Let me see. ", call("Rome")], ["Sunny."]), Weather()
    job = await reply(agent, weather, hold_tools=True)
    assert [kind for kind, _ in job.sent] == [ReplyText, ToolsCalled]
    assert not weather.called


def begun(*given: str) -> list[dict[str, Any]]:
    """A history with two calls, of which some have given something."""
    calls = [call("Rome").model_dump(), call("Oslo", 2).model_dump()]
    answers = [
        {"role": "tool", "content": text, "tool_call_id": f"id-{at + 1}"}
        for at, text in enumerate(given)
    ]
    return [*ASKED, {"role": "assistant", "content": "", "tool_calls": calls}, *answers]


@pytest.mark.parametrize("may_repeat", [True, False])
async def test_another_worker_runs_only_what_has_not_returned(may_repeat: bool) -> None:
    weather = Weather(may_repeat=may_repeat)
    job = await reply(Scripted(["Sunny."]), weather, history=begun("rain"), begun=["id-2"])
    (returned,) = job.of(ToolReturned)
    assert returned["id"] == "id-2"
    assert returned["content"] == ("sunny in Oslo" if may_repeat else OUTCOME_UNKNOWN)
    assert [city for city, _ in weather.called] == (["Oslo"] if may_repeat else [])


async def test_calls_that_were_held_back_are_run_first() -> None:
    agent, weather = Scripted(["Sunny."]), Weather()
    job = await reply(agent, weather, history=begun())
    assert [city for city, _ in weather.called] == ["Rome", "Oslo"]
    assert [message.role for message in agent.asked[0][1:]] == ["assistant", "tool", "tool"]
    assert job.of(ReplyText) == [{"text": "Sunny."}]


async def test_the_rest_of_a_reply_is_written_after_the_last_round() -> None:
    agent = Scripted(["Sunny in Rome. Rainy in Oslo. "])
    job = await reply(agent, Weather(), history=begun("a", "b"), written="Sunny in Rome.")
    assert "".join(one["text"] for one in job.of(ReplyText)).strip() == "Rainy in Oslo."


async def test_rounds_have_an_end() -> None:
    agent, weather = Scripted([call("Rome")]), Weather()
    with pytest.raises(ProviderError, match="without end"):
        await reply(agent, weather)
    assert len(weather.called) == MAX_ROUNDS
    ids = [one.id for message in agent.asked[-1] for one in message.tool_calls]
    assert len(set(ids)) == len(ids) == MAX_ROUNDS + 1


async def test_so_many_calls_at_once_and_no_more() -> None:
    weather = Weather()
    job = await reply(Scripted([call("Rome", at) for at in range(20)], ["Sunny."]), weather)
    assert len(weather.called) == MAX_CALLS
    assert [one["ok"] for one in job.of(ToolReturned)] == [True] * MAX_CALLS + [False] * 12


async def test_after_a_farewell_the_model_is_not_asked_again() -> None:
    end = ToolCall(id="x", name="end_call")
    silent, spoken = Scripted([end], ["Bye!"]), Scripted(["Bye!", end])
    for agent, asked in ((silent, 2), (spoken, 1)):
        await reply(agent, Farewell(ToolDescription(name="end_call")))
        assert len(agent.asked) == asked


async def test_a_model_that_calls_no_tools_sees_none() -> None:
    agent = Scripted(["Hello."])
    agent.capabilities = AgentCapabilities()  # type: ignore[misc]
    history = [*begun("rain", "snow"), *ASKED]
    await reply(agent, history=history)
    assert agent.asked == [[ChatMessage(role="user", content=" ".join([ASKED[0]["content"]] * 2))]]


def tokens(direction: str) -> float:
    labels = {"provider": "scripted", "direction": direction}
    return REGISTRY.get_sample_value("parley_provider_tokens_total", labels) or 0.0


async def test_what_a_reply_costs_is_counted_and_not_spoken() -> None:
    before = tokens("input"), tokens("output")
    job = await reply(Scripted(["Hello.", Usage(input_tokens=7, output_tokens=2)]))
    assert (tokens("input") - before[0], tokens("output") - before[1]) == (7, 2)
    assert job.sent == [(ReplyText, {"text": "Hello."})]
