from pathlib import Path

import pytest

from parley_cli.errors import Usage
from parley_cli.script import BargeInOption


def test_barge_in_is_a_file_and_seconds() -> None:
    assert BargeInOption.parse("stop.wav@1.5") == BargeInOption(Path("stop.wav"), 1.5)
    assert BargeInOption.parse("a@b.wav@0") == BargeInOption(Path("a@b.wav"), 0.0)


BAD = ["stop.wav", "stop.wav@", "@1", "stop.wav@-1", "stop.wav@soon", "s@nan", "s@inf"]


@pytest.mark.parametrize("text", BAD)
def test_anything_else_is_bad_usage(text: str) -> None:
    with pytest.raises(Usage, match="--barge-in wants"):
        BargeInOption.parse(text)
