"""The tts worker."""

from parley.service import run_worker
from parley.subjects import Stage
from parley_tts.speaking import SpeechHandler

CAPACITY = 16
"""Turns spoken at once. Speech is made far faster than it is played, so most of them wait."""


def main() -> int:
    """Run the worker until it is told to stop. The exit code."""
    return run_worker(Stage.TTS, SpeechHandler(), capacity=CAPACITY, embedded="hibari")


if __name__ == "__main__":
    raise SystemExit(main())
