"""An agent job: one turn's history in the request, the reply out as it is written."""

import asyncio
from functools import partial

from parley.instances import Instances
from parley.job import Job
from parley.messages import JobRequest, ReplySpec, Retry
from parley.providers import Agent, ProviderError
from parley.subjects import Stage
from parley.worker import JobRun
from parley_agent.rounds import Rounds
from parley_agent.tools.toolbox import Toolbox, Toolboxes


class ReplyHandler:
    """Opens agent jobs. Jobs with the same provider and settings share an agent."""

    def __init__(self) -> None:
        self._agents = Instances(Stage.AGENT, Agent, lambda kind, settings, _: kind(settings))
        self._toolboxes = Toolboxes()

    def open(self, request: JobRequest) -> JobRun:
        """What writes this reply, or prepares for it.

        Raises ProviderError, or ValueError for a bad spec.
        """
        spec = ReplySpec.model_validate(request.spec)
        if not spec.history:
            raise ProviderError("there is nothing to reply to: the history is empty", Retry.NEVER)
        agent = self._agents.get(spec)
        calls_tools = spec.tools and agent.capabilities.calls_tools
        toolbox = self._toolboxes.get(spec.tools) if calls_tools else None
        if spec.ahead and not agent.capabilities.reads_ahead:
            raise ProviderError(f"the agent {spec.provider!r} does not read ahead", Retry.NEVER)
        if spec.prepare:
            return partial(prepare, agent, spec, toolbox=toolbox)
        return partial(write_reply, agent, spec, toolbox=toolbox)

    async def close(self) -> None:
        """Let go of what tools are connected to."""
        await self._toolboxes.close()


async def write_reply(
    agent: Agent, spec: ReplySpec, job: Job, *, toolbox: Toolbox | None = None
) -> None:
    """Send the reply to the history, piece by piece, without what was written of it before.

    Raises ProviderError.
    """
    tools = {} if toolbox is None else await toolbox.open()
    await Rounds(agent, spec, tools, job).run()


async def prepare(
    agent: Agent, spec: ReplySpec, job: Job, *, toolbox: Toolbox | None = None
) -> None:
    """Get ready for the history, in no more time than the first text may take.

    Raises ProviderError.
    """
    if toolbox is not None:
        await toolbox.open()
    try:
        async with asyncio.timeout(agent.patience.first):
            await agent.prepare(spec.history)
    except TimeoutError:
        reason = f"the agent {spec.provider!r} was not ready within {agent.patience.first:g} s"
        raise ProviderError(reason, Retry.NOW) from None
