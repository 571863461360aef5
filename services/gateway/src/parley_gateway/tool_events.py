"""Tells of a reply's tool calls: the client, the record, the keeper of the call's state."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from parley.tool_rounds import ToolRun
from parley_gateway.chronicle import Chronicle
from parley_gateway.client import Client
from parley_gateway.protocol import event


@dataclass(frozen=True)
class ToolEvents:
    """One turn's. Arguments and results are nobody's business but the model's."""

    turn: int
    client: Client
    chronicle: Chronicle
    changed: Callable[[], None]

    def called(self, runs: Sequence[ToolRun]) -> None:
        """These calls have begun."""
        for run in runs:
            self.client.send_event(event("tool_called", turn=self.turn, name=run.call.name))
        if runs:
            self.changed()

    def returned(self, run: ToolRun, took_ms: float) -> None:
        """A call has returned after so long."""
        name = run.call.name
        self.client.send_event(event("tool_returned", turn=self.turn, name=name, ok=run.ok))
        self.chronicle.tool(self.turn, run.call.id, name, ok=run.ok, took_ms=took_ms)
        self.changed()
