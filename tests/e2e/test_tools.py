"""An agent that calls tools, in the whole engine: a fixed script, and real SDKs."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from typing import Any

import numpy as np
import pytest

from contract.servers import brain
from contract.servers.anthropic_api import AnthropicServer
from contract.servers.gemini_api import GeminiServer
from contract.servers.model_server import ModelServer
from contract.servers.openai_api import OpenAIServer
from parley.messages import ChatMessage
from parley_cli.call import Call, Options, connect
from support import recordings
from support.engine import Engine, ServiceProcess
from support.nats import free_port
from support.tool_server import ToolServer, weather

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]

PORT = free_port()
MODELS: dict[str, Callable[[], ModelServer]] = {
    "openai": OpenAIServer,
    "gemini": GeminiServer,
    "claude": AnthropicServer,
}


def scripted(*rounds: dict[str, Any], tools: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A profile whose agent says and calls this."""
    llm = {"rounds": list(rounds), "words_per_second": 30}
    return {"llmProvider": "recite", "llm": llm, "tools": tools, **more}


def asks(*cities: str, wait: float = 0.0, say: str = "") -> dict[str, Any]:
    return {"say": say, "call": [["weather", {"city": city, "wait": wait}] for city in cities]}


GET, POST = weather(PORT), weather(PORT, method="POST")
LONG = asks("Limbo", wait=9)
PROFILES = {
    "two": scripted(
        asks("Rome", "Oslo", say="Let me look."), {"say": "It is {0} and {1}."}, tools=[GET]
    ),
    "slow": scripted(asks("Bonn", wait=2.5), {"say": "It is {0}."}, tools=[GET]),
    "slow-full": scripted(
        asks("Bonn", wait=2.5, say="Hm."), {"say": "It is {0}."}, tools=[GET], delivery="full"
    ),
    "limbo": scripted(LONG, {"say": "It is {0}."}, tools=[GET]),
    "spoken-to": scripted(asks("Lima"), {"say": "It is {0}."}, tools=[POST]),
    "get": scripted(asks("Paris", wait=4), {"say": "It is {0}."}, tools=[GET]),
    "post": scripted(asks("Prague", wait=4), {"say": "{0}"}, tools=[POST]),
    "two-steps": scripted(asks("Riga"), asks("Kyiv", wait=4), {"say": "It is {0}."}, tools=[GET]),
    "bye": scripted(
        {"say": "Goodbye then.", "call": [["end_call", {}]]}, tools=[{"type": "end_call"}]
    ),
    "operator": scripted(
        {
            "say": "I will put you through to the sales people now.",
            "call": [["transfer_call", {"destination": "sales"}], ["play_dtmf", {"digits": "12"}]],
        },
        tools=[
            {"type": "transfer_call", "destinations": {"sales": "+441234"}},
            {"type": "play_dtmf", "tones": True},
        ],
    ),
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine with these profiles."""
    with Engine(tmp_path_factory.mktemp("tools"), PROFILES, gateways=2) as running:
        yield running


@pytest.fixture
async def server() -> AsyncIterator[ToolServer]:
    async with ToolServer(PORT) as running:
        yield running


def of(call: Call, kind: str) -> list[dict[str, Any]]:
    return [dict(one.data) for one in call.events if one.type == kind]


def order(call: Call, *kinds: str) -> list[str]:
    """The kinds of events, in their order, each once in a row."""
    found = [one.type for one in call.events if one.type in kinds]
    return [kind for at, kind in enumerate(found) if at == 0 or found[at - 1] != kind]


def early_replies(engine: Engine) -> float:
    used = 'parley_early_replies_total{outcome="used"}'
    return sum(one.metric(used) for one in engine.running("gateway"))


async def only(engine: Engine, name: str) -> ServiceProcess:
    """The service of that name that works for the call: others may yet end what was before."""
    async with asyncio.timeout(2.5):
        while len(busy := await asyncio.to_thread(engine.busy, name)) != 1:
            await asyncio.sleep(0.05)
    return busy[0]


async def test_tools_run_at_once_between_the_words(engine: Engine, server: ToolServer) -> None:
    async with connect(engine.url, Options(agent="two")) as call:
        await call.text("What is the weather?")
        spoken = await call.wait_for("spoken", turn=1, timeout=20)
        said = "".join(one["text"] for one in of(call, "reply"))
        await call.end()
    assert spoken.data["text"] == "Let me look. It is sunny in Rome and sunny in Oslo."
    assert said.strip() == spoken.data["text"]
    assert order(call, "reply", "tool_called", "tool_returned") == [
        "reply", "tool_called", "tool_returned", "reply"
    ]  # fmt: skip
    assert of(call, "tool_called") == [{"type": "tool_called", "turn": 1, "name": "weather"}] * 2
    assert [one["ok"] for one in of(call, "tool_returned")] == [True, True]


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        ("slow", "One moment, please. It is sunny in Bonn."),
        ("slow-full", "Hm. One moment, please. It is sunny in Bonn."),
    ],
)
async def test_a_slow_tool_is_bridged_by_a_word(
    engine: Engine, server: ToolServer, agent: str, said: str
) -> None:
    async with connect(engine.url, Options(agent=agent)) as call:
        await call.text("What is the weather?")
        called = await call.wait_for("tool_called", timeout=10)
        speaking = await call.wait_for("speaking", turn=1, timeout=10)
        returned = await call.wait_for("tool_returned", timeout=10)
        spoken = await call.wait_for("spoken", turn=1, timeout=20)
        await call.end()
    assert 0.7 <= speaking.at - called.at < 1.9
    assert speaking.at < returned.at
    assert spoken.data["text"] == said


async def test_an_interruption_leaves_the_tool(engine: Engine, server: ToolServer) -> None:
    async with connect(engine.url, Options(agent="limbo")) as call:
        await call.text("What is the weather?")
        await server.asked("Limbo")
        await call.interrupt()
        spoken = await call.wait_for("spoken", turn=1, timeout=5)
        assert (spoken.data["text"], spoken.data["cut_off"]) == ("", True)
        await server.left("Limbo")
        await call.text("Well?")
        await call.wait_for("tool_called", turn=2, timeout=10)
        await call.end()


async def test_an_early_reply_calls_no_tool_before_the_turn_is_over(
    engine: Engine, server: ToolServer
) -> None:
    before = early_replies(engine)
    async with connect(engine.url, Options(agent="spoken-to")) as call:
        call.play(np.frombuffer(recordings.recording("clone-test.wav", 24_000), "<i2"))
        spoken = await call.wait_for("spoken", turn=1, timeout=40, cut_off=False)
        await call.end()
    assert spoken.data["text"] == "It is sunny in Lima."
    assert early_replies(engine) == before + 1
    assert server.requests["Lima"] == 1


@pytest.mark.parametrize(
    ("agent", "city", "requests", "said"),
    [("get", "Paris", 2, "sunny in Paris"), ("post", "Prague", 1, "Whether it was done")],
)
async def test_when_its_worker_dies_a_call_is_made_again_only_where_that_does_no_harm(
    engine: Engine, server: ToolServer, agent: str, city: str, requests: int, said: str
) -> None:
    engine.start("agent")
    await asyncio.to_thread(engine.wait_ready)
    async with connect(engine.url, Options(agent=agent)) as call:
        await call.text("What is the weather?")
        await server.asked(city)
        (await only(engine, "agent")).kill()
        spoken = await call.wait_for("spoken", turn=1, timeout=30)
        await call.end()
    assert server.requests[city] == requests
    assert said in spoken.data["text"]
    assert len(of(call, "tool_called")) == len(of(call, "tool_returned")) == 1


async def test_when_its_gateway_dies_the_reply_goes_on_with_what_a_tool_gave(
    engine: Engine, server: ToolServer
) -> None:
    async with connect(engine.urls, Options(agent="two-steps")) as call:
        await call.text("What is the weather?")
        await server.asked("Kyiv")
        await asyncio.sleep(0.5)  # for the state to be stored
        gateway = await only(engine, "gateway")
        gateway.kill()
        spoken = await call.wait_for("spoken", turn=1, timeout=30)
        await call.end()
    engine.replace(gateway)
    await asyncio.to_thread(engine.wait_ready)
    assert "It is sunny in Kyiv." in spoken.data["text"]
    assert (server.requests["Riga"], server.requests["Kyiv"]) == (1, 2)


async def test_the_bot_hangs_up_once_its_goodbye_is_heard(engine: Engine) -> None:
    async with connect(engine.url, Options(agent="bye")) as call:
        await call.text("Bye.")
        ended = await call.wait_for("end", timeout=20)
    assert ended.data["reason"] == "bot_hang_up"
    assert of(call, "spoken")[0]["text"] == "Goodbye then."


@pytest.mark.parametrize("interrupted", [False, True])
async def test_what_is_promised_is_done_only_when_the_words_were_heard(
    engine: Engine, interrupted: bool
) -> None:
    async with connect(engine.url, Options(agent="operator")) as call:
        await call.text("Sales, please.")
        await call.wait_for("tool_returned", name="play_dtmf", timeout=20)
        await call.wait_for("speaking", turn=1, timeout=20)
        if interrupted:
            await call.interrupt()
        await call.wait_for("spoken", turn=1, timeout=20)
        heard = len(call.bot_audio)
        await asyncio.sleep(1)
        tones = np.abs(call.bot_audio[heard:].astype(int)).sum()
        await call.end()
    number = {"destination": "sales", "number": "+441234"}
    expected = [] if interrupted else [{"type": "transfer", "turn": 1, **number}]
    assert of(call, "transfer") == expected
    assert [one["digits"] for one in of(call, "dtmf")] == ([] if interrupted else ["12"])
    assert (tones > 0) is not interrupted


# --- Real SDKs


async def _echo(history: Sequence[ChatMessage]) -> AsyncGenerator[str, None]:
    """In place of the model behind a server: it says what the tools gave, if any."""
    for message in history[-2:]:
        if message.role == "tool":
            yield f"It is {message.content}. "
    yield "That is all."


@pytest.fixture
async def talking(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Engine, dict[str, ModelServer]]]:
    """An engine whose agents are the SDKs' providers, each with a server that checks them."""
    monkeypatch.setattr(brain, "reply", _echo)
    models: dict[str, ModelServer] = {name: kind() for name, kind in MODELS.items()}
    async with AsyncExitStack() as stack:
        env: dict[str, str] = {}
        for model in models.values():
            await stack.enter_async_context(model)
            env |= model.environment()
        profiles = {
            name: {"llmProvider": name, "llm": model.settings(), "tools": [GET]}
            for name, model in models.items()
        }
        folder = tmp_path_factory.mktemp("sdks")
        engine = Engine(
            folder, profiles, settings={"agent": {**env, "PARLEY_WARM": ",".join(MODELS)}}
        )
        await asyncio.to_thread(engine.__enter__)
        try:
            yield engine, models
        finally:
            await asyncio.to_thread(engine.stop)


async def test_each_provider_calls_tools_and_takes_their_history(
    talking: tuple[Engine, dict[str, ModelServer]], server: ToolServer
) -> None:
    engine, models = talking
    asked: list[str] = []
    for name, model in models.items():
        async with connect(engine.url, Options(agent=name)) as call:
            await call.text('use weather {"city": "Hell", "wait": 9}')
            await server.asked("Hell", len(asked := [*asked, name]))
            await call.interrupt()
            await call.text(
                'use weather {"city": "Rome", "wait": 0} use weather {"city": "Oslo", "wait": 0}'
            )
            spoken = await call.wait_for("spoken", turn=2, timeout=30)
            await call.text("Thank you.")
            thanked = await call.wait_for("spoken", turn=3, timeout=30)
            await call.end()
        assert spoken.data["text"].startswith("One moment. It is sunny in Rome."), name
        assert "sunny in Oslo" in spoken.data["text"], name
        assert thanked.data["text"] == "That is all.", name
        assert not model.violations, (name, model.violations)
