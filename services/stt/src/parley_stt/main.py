"""The stt worker's process."""

import sys

from parley import service
from parley.providers import ProviderError
from parley.subjects import Stage
from parley_stt.engines.silero import load_silero
from parley_stt.hearing import HearingHandler
from parley_stt.voice_activity import VoiceActivity

CAPACITY = 20
"""Conversations that one process hears with finals in time, on two cores, at 60 % talk."""


def main() -> int:
    """Run the worker until it is told to stop. The exit code."""
    try:
        voice_activity = VoiceActivity(load_silero())
    except ProviderError as error:
        sys.stderr.write(f"parley-stt cannot run: {error}\n")
        return 1
    handler = HearingHandler(voice_activity)
    return service.run_worker(Stage.STT, handler, capacity=CAPACITY, embedded="moonshine")
