"""agents.yaml: what is wrong is named with its line and what is allowed."""

from pathlib import Path

import pytest

from parley import profiles
from parley.profiles import ProfileError, ProviderChoice
from parley.subjects import Stage

GOOD = """
agents:
  default:
    greeting: Hello!
    delivery: full
    interruption:
      minSpeechMs: 300
"""

FALLBACKS = """
agents:
  default:
    llmProvider: openai
    llm: {model: big}
    llmFallbacks:
      - provider: openai
        settings: {model: small}
      - provider: llama
    voiceFallbacks:
      - provider: other
"""


def test_a_good_file() -> None:
    profile = profiles.parse(GOOD).agents["default"]
    assert (profile.greeting.text, profile.delivery) == ("Hello!", "full")
    assert profile.interruption.min_speech_ms == 300
    assert profile.transcriber_provider == "moonshine"
    assert profile.apology
    assert profile.hold_message


def test_candidates_are_the_main_provider_and_then_its_fallbacks() -> None:
    profile = profiles.parse(FALLBACKS).agents["default"]
    assert profile.candidates(Stage.AGENT) == [
        ProviderChoice(provider="openai", settings={"model": "big"}),
        ProviderChoice(provider="openai", settings={"model": "small"}),
        ProviderChoice(provider="llama"),
    ]
    assert [choice.provider for choice in profile.candidates(Stage.TTS)] == ["hibari", "other"]
    assert profile.candidates(Stage.STT) == [ProviderChoice(provider="moonshine")]


def test_what_the_caller_hears_of_a_failure_can_be_said_in_other_words_or_not_at_all() -> None:
    text = "agents: {a: {apology: 'Oh je.', holdMessage: ''}}"
    profile = profiles.parse(text).agents["a"]
    assert (profile.apology, profile.hold_message) == ("Oh je.", "")


def test_no_file_means_the_embedded_default() -> None:
    assert list(profiles.load(None).agents) == ["default"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD.replace("full", "fast"), "line 5.*'sentence' or 'full'.*not 'fast'"),
        (GOOD.replace("minSpeechMs", "minSpeechMS"), "line 7.*did you mean 'minSpeechMs'"),
        (GOOD.replace("300", "-1"), "line 7.*greater than or equal to 0"),
        (GOOD.replace("greeting", "greting"), "line 4.*did you mean 'greeting'"),
        (FALLBACKS.replace("llmF", "llmf"), "line 6.*did you mean 'llmFallbacks'"),
        (
            FALLBACKS.replace("settings:", "setings:"),
            "line 8: unknown key 'agents.default.llmFallbacks.0.setings'; did you mean 'settings'"
            ".*Allowed: provider, settings$",
        ),
        (FALLBACKS.replace("- provider: llama", "- llama"), "line 9.*must have keys, not 'llama'"),
        (FALLBACKS.replace("provider: llama", "settings: {}"), "line 9.*Fallbacks.1.provider"),
        (FALLBACKS.replace("provider: other", "provider: 5"), "line 11.*valid string, not 5"),
        (FALLBACKS.replace("provider: other", "provider: ''"), "line 11.*at least 1 character"),
        ("agents:\n  a:\n    llmFallbacks: openai", "line 3.*valid list, not 'openai'"),
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


def test_a_message_has_a_policy_of_its_own_or_that_of_the_profile() -> None:
    profile = profiles.parse(
        """
agents:
  default:
    greeting: {text: This call is recorded., interruption: {enabled: false}}
    interruption: {minWords: 2}
    idle: {questions: ["Hello?"], goodbye: ""}
"""
    ).agents["default"]
    greeting = profile.interruption.but(profile.greeting.interruption)
    assert (greeting.enabled, greeting.min_words) == (False, 2)
    question = profile.idle.questions[0]
    assert profile.interruption.but(question.interruption) == profile.interruption
    assert not profile.idle.goodbye
