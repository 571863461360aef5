"""An agent job: one turn's history in the request, the reply out as it is written."""

import asyncio
from contextlib import aclosing
from functools import partial

from parley.instances import Instances
from parley.job import Job
from parley.messages import ChatMessage, JobRequest, ReplySpec, ReplyText, Retry
from parley.patience import within
from parley.providers import Agent, ProviderError
from parley.subjects import Stage
from parley.worker import JobRun
from parley_agent.continuation import Rest


class ReplyHandler:
    """Opens agent jobs. Jobs with the same provider and settings share an agent."""

    def __init__(self) -> None:
        self._agents = Instances(Stage.AGENT, Agent, lambda kind, settings, _: kind(settings))

    def open(self, request: JobRequest) -> JobRun:
        """What writes this reply, or prepares for it.

        Raises ProviderError, or ValueError for a bad spec.
        """
        spec = ReplySpec.model_validate(request.spec)
        if not spec.history:
            raise ProviderError("there is nothing to reply to: the history is empty", Retry.NEVER)
        agent = self._agents.get(spec)
        if spec.prepare:
            return partial(prepare, agent, spec)
        return partial(write_reply, agent, spec)


async def write_reply(agent: Agent, spec: ReplySpec, job: Job) -> None:
    """Send the reply to the history, piece by piece, without what was written of it before.

    Raises ProviderError.
    """
    history = spec.history
    if spec.written and agent.capabilities.continues_reply:
        history = [*history, ChatMessage(role="assistant", content=spec.written)]
    reply = agent.generate_response(
        history,
        conversation_id=job.request.conversation_id,
        is_interrupt=spec.is_interrupt,
    )
    rest = Rest(spec.written)
    async with aclosing(within(agent.patience, reply, _name(spec))) as pieces:
        async for text in pieces:
            if new := rest.push(text):
                await job.send(ReplyText, text=new)
    if new := rest.end():
        await job.send(ReplyText, text=new)


async def prepare(agent: Agent, spec: ReplySpec, job: Job) -> None:
    """Get ready for the history, in no more time than the first text may take.

    Raises ProviderError.
    """
    try:
        async with asyncio.timeout(agent.patience.first):
            await agent.prepare(spec.history)
    except TimeoutError:
        reason = f"{_name(spec)} was not ready within {agent.patience.first:g} s"
        raise ProviderError(reason, Retry.NOW) from None


def _name(spec: ReplySpec) -> str:
    return f"the agent {spec.provider!r}"
