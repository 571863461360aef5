"""A reply is written in rounds: the model writes, calls tools, reads what they gave, goes on."""

from collections.abc import Mapping, Sequence
from contextlib import aclosing

from parley import tracing
from parley.job import Job
from parley.messages import ChatMessage, ReplySpec, ReplyText, Retry, ToolCall, ToolsCalled
from parley.patience import within
from parley.providers import Agent, ProviderError, Usage
from parley_agent import metrics
from parley_agent.calls import distinct, rounds_of, spoken_only, unanswered
from parley_agent.continuation import Rest
from parley_agent.tools.base import Tool
from parley_agent.tools.running import Result, run, tell

MAX_ROUNDS = 5
"""So often a model may call tools for one reply."""
MAX_CALLS = 8
"""So many at once. What the calls of one reply give has to fit into a message."""
TOO_MANY = "It was not called: too many tools were called for this reply. Answer without it."


class Rounds:
    """Writes one reply with the agent, and runs the tools that it calls."""

    def __init__(self, agent: Agent, spec: ReplySpec, tools: Mapping[str, Tool], job: Job) -> None:
        self._agent = agent
        self._spec = spec
        self._tools = tools
        self._job = job
        with_calls = agent.capabilities.calls_tools
        self._history = list(spec.history) if with_calls else spoken_only(spec.history)
        self._written = spec.written

    async def run(self) -> None:
        """Send the reply. Raises ProviderError."""
        calls = unanswered(self._history)
        if calls and await self._run(calls, self._spec.begun):
            return
        while True:
            text, calls = await self._ask()
            if not calls:
                return
            calls = distinct(calls, self._history)
            message = ChatMessage(role="assistant", content=text, tool_calls=calls)
            self._history.append(message)
            await self._tell(calls)
            if self._spec.hold_tools or await self._run(calls, ()):
                return
            self._written = ""

    async def _ask(self) -> tuple[str, list[ToolCall]]:
        """What the model says now, sent as it comes, and the calls that it wants."""
        spec, agent, history = self._spec, self._agent, self._history
        if self._written and agent.capabilities.continues_reply:
            history = [*history, ChatMessage(role="assistant", content=self._written)]
        # An agent that calls none need not know the word.
        tools = {"tools": [one.description for one in self._tools.values()]} if self._tools else {}
        reply = agent.generate_response(
            history,
            conversation_id=self._job.request.conversation_id,
            is_interrupt=spec.is_interrupt,
            **tools,
        )
        rest = Rest(self._written)
        said, calls = [self._written], []
        async with aclosing(within(agent.patience, reply, _name(spec))) as pieces:
            async for piece in pieces:
                match piece:
                    case str():
                        said.append(await self._send(rest.push(piece)))
                    case ToolCall():
                        calls.append(piece)
                    case Usage():
                        _count(spec.provider, piece)
        said.append(await self._send(rest.end()))
        return _joined(said), calls

    async def _send(self, text: str) -> str:
        if text:
            tracing.current().lap("parley.first_token_ms")
            await self._job.send(ReplyText, text=text)
        return text

    async def _tell(self, calls: Sequence[ToolCall]) -> None:
        called = [self._tools[call.name] for call in calls if call.name in self._tools]
        slow = [tool for tool in called if tool.filler]
        first = min(slow, key=lambda tool: tool.filler_after_ms, default=None)
        await self._job.send(
            ToolsCalled,
            calls=list(calls),
            filler=first.filler if first else "",
            filler_after_ms=first.filler_after_ms if first else 0,
        )

    async def _run(self, calls: list[ToolCall], begun: Sequence[str]) -> bool:
        """Run the calls that the history ends with; whether that completes the reply."""
        rounds = rounds_of(self._history)
        if rounds > MAX_ROUNDS + 1:
            raise ProviderError(f"{_name(self._spec)} calls tools without end", Retry.NEVER)
        count = MAX_CALLS if rounds <= MAX_ROUNDS else 0
        results = await run(self._tools, calls[:count], begun, self._job)
        for call in calls[count:]:
            results.append(Result(call, TOO_MANY, "failed"))
            await tell(self._job, results[-1])
        self._history += [
            ChatMessage(role="tool", content=one.content, tool_call_id=one.call.id)
            for one in results
        ]
        said = self._has_spoken()
        return all(one.ok and self._tools[one.call.name].ends_reply(said=said) for one in results)

    def _has_spoken(self) -> bool:
        """Whether there are words of the bot's since the caller's last."""
        for message in reversed(self._history):
            if message.role == "user":
                break
            if message.role == "assistant" and message.content.strip():
                return True
        return bool(self._spec.written)


def _joined(said: list[str]) -> str:
    first, *rest = said
    return f"{first} {''.join(rest).lstrip()}".strip() if first else "".join(rest)


def _count(provider: str, usage: Usage) -> None:
    metrics.TOKENS.labels(provider, "input").inc(usage.input_tokens)
    metrics.TOKENS.labels(provider, "output").inc(usage.output_tokens)
    span = tracing.current()
    span.add("gen_ai.usage.input_tokens", usage.input_tokens)
    span.add("gen_ai.usage.output_tokens", usage.output_tokens)


def _name(spec: ReplySpec) -> str:
    return f"the agent {spec.provider!r}"
