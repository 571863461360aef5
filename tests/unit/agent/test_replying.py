"""An agent job with an agent of the test's own."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest

from parley.messages import ChatMessage, JobRequest, ReplySpec, ReplyText, Retry
from parley.providers import Agent, ProviderError, ProviderSettings
from parley.subjects import Stage
from parley_agent.replying import ReplyHandler, write_reply

HISTORY = [{"role": "user", "content": "Hello."}]


class Echo(Agent):
    """Repeats the last message, word by word, for ever."""

    closed = False
    asked: tuple[Any, ...] = ()
    prepared: Sequence[ChatMessage] = ()

    async def prepare(self, history: Sequence[ChatMessage]) -> None:
        self.prepared = history

    async def generate_response(
        self, history: Sequence[ChatMessage], *, conversation_id: str, is_interrupt: bool = False
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
