"""What is counted of a provider's use, and when the clock of its first result runs."""

import secrets

import pytest
from prometheus_client import REGISTRY

from parley.frames import AudioFrame
from parley.messages import Speak
from parley.provider_figures import ProviderFigures
from parley.subjects import Stage


@pytest.fixture
def provider() -> str:
    """One that no other test has counted."""
    return secrets.token_hex(4)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr("parley.provider_figures.time.monotonic", lambda: now[0])
    return now


def figure(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"parley_provider_{name}", labels)


def text(words: str) -> Speak:
    return Speak(turn=1, attempt=1, seq=0, segment=0, text=words)


def test_a_voice_is_asked_with_its_first_text(provider: str, clock: list[float]) -> None:
    figures = ProviderFigures(Stage.TTS, provider)
    clock[0] += 5  # the model was still thinking
    figures.takes(text("Hello."))
    clock[0] += 0.25
    figures.gives()
    figures.takes(text("How are you?"))
    clock[0] += 9
    figures.gives()
    labels = {"stage": "tts", "provider": provider}
    assert figure("first_result_seconds_sum", **labels) == 0.25
    assert figure("first_result_seconds_count", **labels) == 1
    assert figure("characters_total", provider=provider) == len("Hello.How are you?")
    assert figure("jobs_total", **labels) == 1


def test_an_agent_is_asked_as_its_job_begins(provider: str, clock: list[float]) -> None:
    figures = ProviderFigures(Stage.AGENT, provider)
    clock[0] += 0.5
    figures.gives()
    assert figure("first_result_seconds_sum", stage="agent", provider=provider) == 0.5


def test_a_transcriber_is_counted_by_what_it_hears(provider: str) -> None:
    figures = ProviderFigures(Stage.STT, provider, 16_000)
    for seq in range(5):
        figures.takes(AudioFrame(0, 1, seq, 0, seq * 1600, bytes(3200)))
    figures.gives()
    assert figure("audio_seconds_total", provider=provider) == pytest.approx(0.5)
    assert figure("first_result_seconds_count", stage="stt", provider=provider) is None
