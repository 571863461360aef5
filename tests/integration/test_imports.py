"""A service imports no SDK that its profile does not use."""

import subprocess
import sys

import pytest

SDKS = {
    "deepgram": "deepgram",
    "assemblyai": "assemblyai",
    "azure.cognitiveservices": "azure",
    "google.cloud": "google",
    "google.genai": "gemini",
    "anthropic": "claude",
    "elevenlabs": "elevenlabs",
    "aiobotocore": "polly",
    "openai": "openai",
    "mcp": "tools of MCP servers",
    "moonshine_voice": "moonshine",
    "hibari": "hibari",
    "xllamacpp": "llama",
}
"""What is imported for whom."""


def imported(code: str) -> set[str]:
    """The SDKs that a new process has imported after `code`."""
    listing = f"{code}\nimport sys; print(*sys.modules, sep='\\n')"
    run = subprocess.run(
        [sys.executable, "-c", listing], capture_output=True, text=True, check=True
    )
    return set(SDKS).intersection(run.stdout.split())


@pytest.mark.parametrize("service", ["gateway", "stt", "agent", "tts"])
def test_a_service_imports_no_sdk(service: str) -> None:
    assert imported(f"import parley_{service}.main") == set()


@pytest.mark.parametrize(
    ("stage", "provider", "sdks"),
    [
        ("stt", "deepgram", {"deepgram"}),
        ("stt", "deepgram-flux", {"deepgram"}),
        ("stt", "assemblyai", {"assemblyai"}),
        ("stt", "azure", {"azure.cognitiveservices"}),
        ("stt", "google", {"google.cloud"}),
        ("agent", "openai", {"openai"}),
        ("agent", "gemini", {"google.genai"}),
        ("agent", "claude", {"anthropic"}),
        ("tts", "azure", {"azure.cognitiveservices"}),
        ("tts", "google", {"google.cloud"}),
        ("tts", "polly", {"aiobotocore"}),
        ("tts", "playht", set()),
    ],
)
def test_a_provider_imports_its_own_sdk_only(stage: str, provider: str, sdks: set[str]) -> None:
    load = "from parley import providers; from parley.subjects import Stage\n"
    assert imported(f"{load}providers.load(Stage({stage!r}), {provider!r})") == sdks
