"""An agent job: one turn's history in the request, the reply out as it is written."""

from contextlib import aclosing
from functools import partial

from parley.instances import Instances
from parley.job import Job
from parley.messages import JobRequest, ReplySpec, ReplyText, Retry
from parley.providers import Agent, ProviderError
from parley.subjects import Stage
from parley.worker import JobRun


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
            return lambda _: agent.prepare(spec.history)
        return partial(write_reply, agent, spec)


async def write_reply(agent: Agent, spec: ReplySpec, job: Job) -> None:
    """Send the reply to the history, piece by piece."""
    reply = agent.generate_response(
        spec.history,
        conversation_id=job.request.conversation_id,
        is_interrupt=spec.is_interrupt,
    )
    async with aclosing(reply) as pieces:
        async for text in pieces:
            await job.send(ReplyText, text=text)
