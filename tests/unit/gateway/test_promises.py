"""What is done of what a worker says that built-in tools have promised."""

from types import SimpleNamespace
from typing import Any, cast

from parley.messages import ToolCall
from parley.tool_rounds import ToolRun
from parley.tools import PlayDtmf
from parley_gateway.bot import Means
from parley_gateway.promises import MAX_KEYS, keep


async def test_only_so_many_keys_are_pressed() -> None:
    # Each is a tenth of a second of sound, which the gateway would make while all calls wait.
    events: list[dict[str, Any]] = []
    means = SimpleNamespace(
        profile=SimpleNamespace(tools=[PlayDtmf(type="play_dtmf")]),
        client=SimpleNamespace(send_event=events.append),
    )
    arguments = '{"digits": "%s"}' % ("1" * 1_000_000)
    run = ToolRun(call=ToolCall(id="1", name="play_dtmf", arguments=arguments), ok=True, result="")
    assert not await keep([run], 1, cast(Means, means), lambda: True)
    assert events == [{"type": "dtmf", "turn": 1, "digits": "1" * MAX_KEYS}]
