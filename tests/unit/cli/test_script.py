from pathlib import Path

import pytest

from parley_cli.errors import Usage
from parley_cli.events import Event
from parley_cli.script import BargeInOption, questions


def test_barge_in_is_a_file_and_seconds() -> None:
    assert BargeInOption.parse("stop.wav@1.5") == BargeInOption(Path("stop.wav"), 1.5)
    assert BargeInOption.parse("a@b.wav@0") == BargeInOption(Path("a@b.wav"), 0.0)


BAD = ["stop.wav", "stop.wav@", "@1", "stop.wav@-1", "stop.wav@soon", "s@nan", "s@inf"]


@pytest.mark.parametrize("text", BAD)
def test_anything_else_is_bad_usage(text: str) -> None:
    with pytest.raises(Usage, match="--barge-in wants"):
        BargeInOption.parse(text)


def heard(message: str, turn: int, is_final: bool = True) -> Event:
    data = {"type": "transcription", "message": message, "is_final": is_final, "turn": turn}
    return Event(0.0, data)


def test_words_that_take_no_turn_ask_nothing() -> None:
    first, mhm, second = heard("What is it?", 1), heard("Mhm.", 2), heard("And now?", 2)
    nod = Event(0.0, {"type": "backchannel", "message": "Mhm.", "turn": 1})
    assert questions([first, heard("m", 2, is_final=False), mhm]) == [first, mhm]
    assert questions([first, mhm, nod]) == [first]
    assert questions([first, mhm, nod, second]) == [first, second]
