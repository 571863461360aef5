"""The tools that one turn's reply calls, as the gateway keeps them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from parley.messages import ChatMessage, ToolReturned, ToolsCalled
from parley.tool_rounds import ToolRound, ToolRun, messages_of, settled
from parley.tools import BuiltIn, Tool


@dataclass(eq=False)
class ToolCalls:
    """The rounds of tool calls in one reply. `text` is always that of the whole reply so far."""

    rounds: list[ToolRound] = field(default_factory=list)

    def called(self, message: ToolsCalled, text: str, *, begun: bool) -> None:
        """The model wants these calls, after `text`."""
        runs = [ToolRun(call=call, begun=begun) for call in message.calls]
        self.rounds.append(ToolRound(after=len(text), runs=runs))

    def returned(self, message: ToolReturned) -> ToolRun | None:
        """A call has given this; the call, unless there is none that waits for it."""
        for run in self._waiting():
            if run.call.id == message.id:
                run.ok, run.result = message.ok, message.content
                return run
        return None

    def begin(self) -> list[ToolRun]:
        """What was held back is begun now; those calls."""
        held = [run for run in self._waiting() if not run.begun]
        for run in held:
            run.begun = True
        return held

    @property
    def held_back(self) -> bool:
        """Whether there are calls that have not been begun."""
        return any(not run.begun for run in self._waiting())

    @property
    def begun(self) -> list[str]:
        """The ids of the calls that are under way, or were when their worker was lost."""
        return [run.call.id for run in self._waiting() if run.begun]

    @property
    def is_waiting(self) -> bool:
        """Whether there are calls that have not returned."""
        return bool(self._waiting())

    def written_since(self, text: str) -> str:
        """Of the reply's text, what was written after the last round."""
        return text[self.rounds[-1].after :].strip() if self.rounds else text

    def messages(self, text: str) -> list[ChatMessage]:
        """The rounds, and the text before each, for the model that is to go on."""
        before = text[: self.rounds[-1].after] if self.rounds else ""
        return list(messages_of(before, self.rounds))

    def copy(self) -> list[ToolRound]:
        """The rounds as they are now."""
        return [one.model_copy(deep=True) for one in self.rounds]

    def over(self, tools: Sequence[Tool], *, cut_off: bool) -> list[ToolRound]:
        """The rounds for the history. `cut_off`: nothing more of the reply is done."""
        built_in = {tool.type for tool in tools if isinstance(tool, BuiltIn)}
        return settled(self.rounds, built_in) if cut_off else settled(self.rounds)

    def promised(self) -> list[ToolRun]:
        """The calls that went well."""
        return [run for one in self.rounds for run in one.runs if run.ok]

    def _waiting(self) -> list[ToolRun]:
        return [run for run in (self.rounds[-1].runs if self.rounds else []) if run.result is None]
