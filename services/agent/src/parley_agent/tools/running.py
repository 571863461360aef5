"""Runs what a model calls: all calls of a round at once, each with a result, whatever happens."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jsonschema
import referencing

from parley import logs, tracing
from parley.job import Job
from parley.messages import ToolCall, ToolReturned
from parley_agent import metrics
from parley_agent.tools.base import Tool, ToolFailed

log = logs.get(__name__)

OUTCOME_UNKNOWN = (
    "A technical fault came while this was under way. Whether it was done is not known; "
    "it was not done again."
)


@dataclass(frozen=True)
class Result:
    """What a call has given, for the model."""

    call: ToolCall
    content: str
    outcome: str = "ok"

    @property
    def ok(self) -> bool:
        """Whether it went well."""
        return self.outcome == "ok"


async def run(
    tools: Mapping[str, Tool], calls: Sequence[ToolCall], begun: Sequence[str], job: Job
) -> list[Result]:
    """Run the calls at once; their results, in the same order. Each is told as it comes.

    Those in `begun` were begun by another worker: they are run again only if that does no harm.
    """
    request = job.request

    async def run_one(call: ToolCall) -> Result:
        began = time.monotonic()
        key = f"{request.conversation_id}-{request.turn}-{call.id}"
        result = await _run(tools.get(call.name), call, key, tools, again=call.id in begun)
        await tell(job, result, (time.monotonic() - began) * 1000)
        return result

    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(run_one(call)) for call in calls]
    return [task.result() for task in running]


async def tell(job: Job, result: Result, took_ms: float = 0.0) -> None:
    """Tell the gateway what a call has given."""
    await job.send(
        ToolReturned,
        id=result.call.id,
        ok=result.ok,
        content=result.content,
        took_ms=round(took_ms, 1),
    )


async def _run(
    tool: Tool | None, call: ToolCall, key: str, tools: Mapping[str, Tool], *, again: bool
) -> Result:
    if tool is None:
        metrics.TOOL_CALLS.labels("unknown", "invalid").inc()
        there = ", ".join(tools) or "none"
        return Result(call, f"There is no tool {call.name!r}. There are: {there}.", "invalid")
    outcome = "interrupted"
    with tracing.current().child(f"tool {tool.name}") as span:
        try:
            with metrics.TOOL_SECONDS.labels(tool.counted_as).time():
                result = await _outcome(tool, call, key, again=again)
            outcome = result.outcome
        finally:
            metrics.TOOL_CALLS.labels(tool.counted_as, outcome).inc()
            span.set({"gen_ai.tool.name": tool.name, "parley.outcome": outcome})
    return result


async def _outcome(tool: Tool, call: ToolCall, key: str, *, again: bool) -> Result:
    if again and not tool.may_repeat:
        return Result(call, OUTCOME_UNKNOWN, "failed")
    arguments, wrong = checked(call.arguments, tool.description.parameters)
    if wrong:
        return Result(call, f"The arguments are wrong. {wrong} Call it again.", "invalid")
    try:
        async with asyncio.timeout(tool.timeout_seconds):
            return Result(call, await tool.call(arguments, key))
    except TimeoutError:
        late = f"It has not answered within {tool.timeout_seconds:g} s. It may be done or not."
        return Result(call, late, "timeout")
    except ToolFailed as failure:
        return Result(call, f"It failed. {failure}", "failed")
    except Exception as error:
        log.warning("tool failed", tool=tool.name, reason=type(error).__name__)
        return Result(call, "It failed.", "failed")


def checked(text: str, schema: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """The arguments in `text`, and what is wrong with them, for the model to mend."""
    try:
        arguments = json.loads(text or "{}")
    except ValueError as error:
        return {}, f"They are not JSON: {error}."
    if not isinstance(arguments, dict):
        return {}, "They are not a JSON object."
    # An empty registry: nothing that a schema refers to is fetched from anywhere.
    kind = jsonschema.validators.validator_for(schema, jsonschema.Draft202012Validator)
    validator = kind(schema, registry=referencing.Registry())
    try:
        found = jsonschema.exceptions.best_match(validator.iter_errors(arguments))
    except Exception as error:
        log.warning("a tool's parameters are no JSON schema", reason=type(error).__name__)
        return arguments, ""
    if found is None:
        return arguments, ""
    where = ".".join(str(part) for part in found.absolute_path)
    return {}, f"{where}: {found.message}." if where else f"{found.message}."
