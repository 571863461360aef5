"""The tools that a reply has called, between its words, and what became of each call. Pure."""

from collections.abc import Container, Iterator, Sequence

from pydantic import BaseModel

from parley.messages import ChatMessage, ToolCall

RESULTS_CHARACTERS = 48_000
"""So much of what tools gave is told to a model again, the latest first."""
LEFT_OUT = "(What this tool gave is left out: it was too long ago.)"
INTERRUPTED = "The reply was cut off while this was under way. Whether it was done is not known."
NOT_DONE = "The reply was cut off first. It was not done."


class ToolRun(BaseModel):
    """A call, and what it gave. `result` is None until it has returned."""

    call: ToolCall
    begun: bool = True
    ok: bool = False
    result: str | None = None


class ToolRound(BaseModel):
    """Calls that were made at once, after the first `after` characters of the reply's text."""

    after: int
    runs: list[ToolRun]


def messages_of(text: str, rounds: Sequence[ToolRound]) -> Iterator[ChatMessage]:
    """A reply, or what was heard of it, as language models take it: calls where they were made."""
    at = 0
    for one in rounds:
        end = max(at, one.after)
        calls = [run.call for run in one.runs]
        yield ChatMessage(role="assistant", content=text[at:end].strip(), tool_calls=calls)
        for run in one.runs:
            if run.result is not None:
                yield ChatMessage(role="tool", content=run.result, tool_call_id=run.call.id)
        at = end
    if rest := text[at:].strip():
        yield ChatMessage(role="assistant", content=rest)


def settled(rounds: Sequence[ToolRound], undone: Container[str] = ()) -> list[ToolRound]:
    """The rounds of a reply that is over: each call has a result, as models demand.

    What the tools in `undone` have promised is not done.
    """
    return [
        ToolRound(after=one.after, runs=[_settled(run, undone) for run in one.runs])
        for one in rounds
    ]


def _settled(run: ToolRun, undone: Container[str]) -> ToolRun:
    if not run.begun or run.call.name in undone:
        return run.model_copy(update={"ok": False, "result": NOT_DONE})
    return run if run.result is not None else run.model_copy(update={"result": INTERRUPTED})


def with_old_results_cut(messages: list[ChatMessage]) -> list[ChatMessage]:
    """The history without the oldest results, where all are more than a model should read."""
    room = RESULTS_CHARACTERS
    kept = []
    for message in reversed(messages):
        if message.role == "tool":
            room -= len(message.content)
            if room < 0:
                message = message.model_copy(update={"content": LEFT_OUT})
        kept.append(message)
    return kept[::-1]
