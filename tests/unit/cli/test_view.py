"""What a person sees of a call."""

import io
from typing import Any

import pytest
from rich.console import Console

from parley_cli.events import Event
from parley_cli.view import View


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=200)


@pytest.fixture
def view(console: Console) -> View:
    return View(console)


def say(view: View, kind: str, **fields: Any) -> None:
    view.show(Event(0.0, {"type": kind, **fields}))


def hear(view: View, message: str, turn: int, is_final: bool = True) -> None:
    say(view, "transcription", message=message, turn=turn, is_final=is_final)


def lines(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def begin(view: View) -> None:
    hear(view, "Who are you?", turn=1)
    say(view, "reply", turn=1, text="I am a machine that talks.")
    say(view, "speaking", turn=1)


def test_words_that_take_no_turn_are_set_apart(view: View, console: Console) -> None:
    begin(view)
    say(view, "paused", turn=1)
    hear(view, "mh", turn=2, is_final=False)
    say(view, "resumed", turn=1, ms=320)
    hear(view, "Mhm.", turn=2)
    assert lines(console) == ["you: Who are you?"]
    say(view, "backchannel", message="Mhm.", turn=1)
    say(view, "spoken", turn=1, text="I am a machine that talks.", cut_off=False)
    assert lines(console) == ["you: Who are you?", "you: (Mhm.)", "bot: I am a machine that talks."]


def test_words_that_interrupt_come_after_what_they_interrupt(view: View, console: Console) -> None:
    begin(view)
    say(view, "paused", turn=1)
    hear(view, "No, stop.", turn=2)
    say(view, "interrupted", turn=1)
    say(view, "spoken", turn=1, text="I am a", cut_off=True)
    assert lines(console)[1:] == ["bot: I am a -- interrupted", "you: No, stop."]
    hear(view, "Tell me the time.", turn=2)
    assert lines(console)[3:] == ["you: Tell me the time."]


def test_the_end_tells_what_was_said_and_why_it_came(view: View, console: Console) -> None:
    begin(view)
    hear(view, "Hello?", turn=2)
    say(view, "end", reason="idle")
    assert lines(console)[1:] == ["you: Hello?", "end: you said nothing for a long time"]
