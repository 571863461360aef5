"""A reply's text on its way to the client, held back or not."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from parley_gateway.reply_text import ReplyText


class Screen:
    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def send_event(self, event: dict[str, Any]) -> None:
        self.events.append(event)


@pytest.mark.parametrize("release_after", range(4))
def test_what_is_shown_in_the_end_does_not_depend_on_when_it_was_released(
    release_after: int,
) -> None:
    screen = Screen()
    text = ReplyText(screen, 3, held=True)  # type: ignore[arg-type]
    steps: list[Callable[[], None]] = [
        partial(text.add, "It is"),
        partial(text.restart, "It was"),
        partial(text.add, "noon."),
        lambda: None,
    ]
    for at, step in enumerate(steps):
        if at == release_after:
            assert screen.events == []
            text.release()
        step()
    shown = ""
    for event in screen.events:
        assert (event["type"], event["turn"]) == ("reply", 3)
        shown = event["text"] if event.get("restart") else shown + event["text"]
    assert shown == "It was noon."
