"""An agent job: one turn's history in the request, the reply out as it is written."""

import json
from contextlib import aclosing
from functools import partial

from parley import providers
from parley.job import Job
from parley.messages import JobRequest, ReplySpec, ReplyText, Retry
from parley.providers import Agent, ProviderError
from parley.subjects import Stage
from parley.worker import JobRun

INSTANCES = 64
"""So many agents, each with settings of its own, are kept for the next job."""


class ReplyHandler:
    """Opens agent jobs. Jobs with the same provider and settings share an agent."""

    def __init__(self) -> None:
        self._agents: dict[str, Agent] = {}

    def open(self, request: JobRequest) -> JobRun:
        """What writes this reply. Raises ProviderError, or ValueError for a bad spec."""
        spec = ReplySpec.model_validate(request.spec)
        if not spec.history:
            raise ProviderError("there is nothing to reply to: the history is empty", Retry.NEVER)
        return partial(write_reply, self._agent(spec), spec)

    def _agent(self, spec: ReplySpec) -> Agent:
        key = json.dumps([spec.provider, spec.settings], sort_keys=True, default=str)
        if key not in self._agents:
            kind = providers.load(Stage.AGENT, spec.provider)
            if not issubclass(kind, Agent):
                raise ProviderError(f"{spec.provider!r} is not an agent", Retry.NEVER)
            made = kind(providers.settings_for(kind, spec.settings))
            if len(self._agents) >= INSTANCES:
                self._agents.pop(next(iter(self._agents)))
            self._agents[key] = made
        return self._agents[key]


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
