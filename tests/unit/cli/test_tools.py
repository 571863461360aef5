"""What the command line shows of tools."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from parley_cli import checks
from parley_cli.events import Event
from parley_cli.view import View

PROFILE = "agents: {{shop: {{llmProvider: {}, tools: [{{type: end_call}}]}}}}"


@pytest.mark.parametrize(("provider", "warns"), [("llama", True), ("recite", False)])
def test_doctor_warns_of_tools_that_nobody_calls(
    tmp_path: Path, provider: str, warns: bool
) -> None:
    path = tmp_path / "agents.yaml"
    path.write_text(PROFILE.format(provider))
    found = [one.found for one in checks.agents(path) if one.level is checks.Level.WARN]
    assert found == ([f"'{provider}' calls no tools: with it, the agent only speaks"] * warns)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        ({"type": "tool_called", "turn": 1, "name": "find_order"}, "(find_order)"),
        (
            {"type": "transfer", "turn": 1, "destination": "sales", "number": "+44"},
            "(transfer to sales: +44)",
        ),
        ({"type": "dtmf", "turn": 1, "digits": "12#"}, "(keys 12#)"),
        ({"type": "end", "reason": "bot_hang_up"}, "end: the bot has ended the call"),
    ],
)
def test_what_the_bot_does_is_a_line(event: dict[str, object], line: str) -> None:
    shown = io.StringIO()
    View(Console(file=shown, width=100)).show(Event(0.0, event))
    assert shown.getvalue().strip() == line
