"""An agent job with an agent of the test's own."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest

from parley.messages import ChatMessage, JobRequest, ReplySpec, ReplyText, Retry, ToolDescription
from parley.providers import Agent, AgentCapabilities, Patience, ProviderError, ProviderSettings
from parley.subjects import Stage
from parley_agent.replying import ReplyHandler, prepare, write_reply

HISTORY = [{"role": "user", "content": "Hello."}]


class Echo(Agent):
    """Repeats the last message, word by word, for ever."""

    closed = False
    asked: tuple[Any, ...] = ()
    prepared: Sequence[ChatMessage] = ()

    async def prepare(self, history: Sequence[ChatMessage]) -> None:
        self.prepared = history

    async def generate_response(
        self,
        history: Sequence[ChatMessage],
        *,
        conversation_id: str,
        is_interrupt: bool = False,
        tools: Sequence[ToolDescription] = (),
    ) -> AsyncGenerator[str, None]:
        self.asked = (conversation_id, is_interrupt)
        try:
            while True:
                yield history[-1].content
                await asyncio.sleep(0)
        finally:
            self.closed = True


class FakeJob:
    """What the handler sees of a job."""

    request = JobRequest(stage=Stage.AGENT, conversation_id="c", turn=1, attempt=1, spec={})

    def __init__(self) -> None:
        self.sent: list[Any] = []

    async def send(self, kind: type, **fields: Any) -> None:
        self.sent.append((kind, fields))


async def test_pieces_are_sent_as_they_come_and_cancelling_closes_the_agent() -> None:
    agent, job = Echo(ProviderSettings()), FakeJob()
    spec = ReplySpec.model_validate({"provider": "echo", "history": HISTORY, "is_interrupt": True})
    running: Any = job
    task = asyncio.create_task(write_reply(agent, spec, running))
    while len(job.sent) < 3:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert agent.closed
    assert agent.asked == ("c", True)
    assert job.sent[:2] == [(ReplyText, {"text": "Hello."})] * 2


def request(**spec: Any) -> JobRequest:
    return JobRequest(stage=Stage.AGENT, conversation_id="c", turn=1, attempt=1, spec=spec)


@pytest.mark.parametrize(
    "spec",
    [
        {"provider": "llama", "history": []},
        {"provider": "llama", "history": HISTORY, "settings": {"temprature": 1}},
        {"provider": "llama", "history": HISTORY, "settings": {"maxTokens": 0}},
        {"provider": "openai", "history": HISTORY, "settings": {"apiKeyEnv": "NO_SUCH_KEY"}},
    ],
)
def test_a_job_that_cannot_be_run_is_refused(spec: dict[str, Any]) -> None:
    with pytest.raises(ProviderError) as refused:
        ReplyHandler().open(request(**spec))
    assert refused.value.retry is Retry.NEVER


def test_jobs_with_the_same_settings_share_an_agent() -> None:
    handler = ReplyHandler()
    for temperature in (0.0, 0.0, 0.5):
        settings = {"temperature": temperature}
        handler.open(request(provider="llama", history=HISTORY, settings=settings))
    assert len(handler._agents) == 2


async def test_preparing_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    agent, job = Echo(ProviderSettings()), FakeJob()
    handler = ReplyHandler()
    monkeypatch.setattr(handler._agents, "get", lambda spec: agent)
    running: Any = job
    await handler.open(request(provider="echo", history=HISTORY, prepare=True))(running)
    assert [message.content for message in agent.prepared] == ["Hello."]
    assert job.sent == []


SAYING = {"prepare": True, "ahead": True}


class Reading(Echo):
    capabilities = AgentCapabilities(reads_ahead=True)


async def test_only_who_reads_ahead_is_given_what_is_being_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    agent = Reading(ProviderSettings())
    running: Any = FakeJob()
    handler = ReplyHandler()
    monkeypatch.setattr(handler._agents, "get", lambda spec: agent)
    await handler.open(request(provider="reading", history=HISTORY, **SAYING))(running)
    assert [message.content for message in agent.prepared] == ["Hello."]
    monkeypatch.setattr(handler._agents, "get", lambda spec: Echo(ProviderSettings()))
    with pytest.raises(ProviderError, match="does not read ahead") as refused:
        handler.open(request(provider="echo", history=HISTORY, **SAYING))
    assert refused.value.retry is Retry.NEVER


class Recital(Agent):
    """Writes the same reply whatever it is asked, and hangs when it is told to."""

    patience = Patience(first=0.02, between=30.0)
    history: Sequence[ChatMessage] = ()
    hangs = False
    closed = False

    async def generate_response(
        self,
        history: Sequence[ChatMessage],
        *,
        conversation_id: str,
        is_interrupt: bool = False,
        tools: Sequence[ToolDescription] = (),
    ) -> AsyncGenerator[str, None]:
        self.history = history
        try:
            if self.hangs:
                await asyncio.Event().wait()
            for word in ["One", "two.", "Three", "four."]:
                yield word + " "
        finally:
            self.closed = True

    async def prepare(self, history: Sequence[ChatMessage]) -> None:
        await asyncio.Event().wait()


class Continuing(Recital):
    capabilities = AgentCapabilities(continues_reply=True)


async def written(agent: Agent, **spec: Any) -> str:
    job = FakeJob()
    running: Any = job
    wanted = ReplySpec.model_validate({"provider": "test", "history": HISTORY, **spec})
    await write_reply(agent, wanted, running)
    return "".join(fields["text"] for _, fields in job.sent)


@pytest.mark.parametrize(
    ("before", "rest"),
    [("", "One two. Three four. "), ("One two.", "Three four. "), ("One two. Three four.", "")],
)
async def test_only_the_rest_is_sent_of_a_reply_that_was_begun(before: str, rest: str) -> None:
    agent = Recital(ProviderSettings())
    assert await written(agent, written=before) == rest
    assert [message.role for message in agent.history] == ["user"]


async def test_an_agent_that_continues_is_given_the_beginning() -> None:
    agent = Continuing(ProviderSettings())
    assert await written(agent, written="One two.") == "Three four. "
    assert agent.history[-1] == ChatMessage(role="assistant", content="One two.")
    await written(agent)
    assert [message.role for message in agent.history] == ["user"]


async def test_an_agent_that_hangs_is_closed() -> None:
    agent = Recital(ProviderSettings())
    agent.hangs = True
    with pytest.raises(ProviderError, match=r"'test' has given nothing for 0\.02 s") as failed:
        await written(agent)
    assert failed.value.retry is Retry.NOW
    assert agent.closed


async def test_preparing_has_an_end() -> None:
    spec = ReplySpec.model_validate({"provider": "test", "history": HISTORY, "prepare": True})
    job: Any = FakeJob()
    with pytest.raises(ProviderError, match="not ready") as failed:
        await prepare(Recital(ProviderSettings()), spec, job)
    assert failed.value.retry is Retry.NOW
