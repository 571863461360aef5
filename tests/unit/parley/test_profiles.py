"""agents.yaml: what is wrong is named with its line and what is allowed."""

from pathlib import Path

import pytest

from parley import profiles
from parley.profiles import ProfileError

GOOD = """
agents:
  default:
    greeting: Hello!
    delivery: full
    interruption:
      minSpeechMs: 300
"""


def test_a_good_file() -> None:
    profile = profiles.parse(GOOD).agents["default"]
    assert (profile.greeting, profile.delivery) == ("Hello!", "full")
    assert profile.interruption.min_speech_ms == 300
    assert profile.transcriber_provider == "moonshine"


def test_no_file_means_the_embedded_default() -> None:
    assert list(profiles.load(None).agents) == ["default"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD.replace("full", "fast"), "line 5.*'sentence' or 'full'.*not 'fast'"),
        (GOOD.replace("minSpeechMs", "minSpeechMS"), "line 7.*did you mean 'minSpeechMs'"),
        (GOOD.replace("300", "-1"), "line 7.*greater than or equal to 0"),
        (GOOD.replace("greeting", "greting"), "line 4.*did you mean 'greeting'"),
        ("agents: {}", "line 1.*agents"),
        ("agent: {}", "unknown key 'agent'; did you mean 'agents'"),
        ("- a", "line 1"),
        ("", "line 1"),
        ("agents:\n  a: [", "line 2.*not YAML"),
        ("agents:\n  a: 5", "line 2"),
    ],
)
def test_what_is_wrong_is_named(text: str, expected: str) -> None:
    with pytest.raises(ProfileError, match=f"(?s){expected}"):
        profiles.parse(text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="cannot read"):
        profiles.load(tmp_path / "none.yaml")
