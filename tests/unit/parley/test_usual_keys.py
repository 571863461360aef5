"""The usual names of providers' keys, and what they stand for."""

from parley.profiles import parse
from parley.subjects import Stage

FILE = """
agents:
  default:
    transcriberProvider: deepgram
    deepgramApiKey: env:DG
    voiceProvider: azure
    azureSpeechKey: file:/run/secrets/azure
    azureVoiceName: en-GB-SoniaNeural
    voice: {voice: en-US-AvaNeural}
    voiceFallbacks: [{provider: azure}, {provider: hibari}]
"""


def test_usual_keys_are_settings_of_the_providers_that_have_them() -> None:
    profile = parse(FILE).agents["default"]
    (transcriber,) = profile.candidates(Stage.STT)
    assert transcriber.settings == {"apiKey": "env:DG"}
    own, usual, embedded = profile.candidates(Stage.TTS)
    assert own.settings == {"apiKey": "file:/run/secrets/azure", "voice": "en-US-AvaNeural"}
    assert usual.settings["voice"] == "en-GB-SoniaNeural"
    assert embedded.settings == {}


def test_without_usual_keys_the_settings_are_what_they_were() -> None:
    profile = parse("agents: {default: {llm: {temperature: 0.5}}}").agents["default"]
    assert profile.candidates(Stage.AGENT)[0].settings == {"temperature": 0.5}
