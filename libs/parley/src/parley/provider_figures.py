"""What one job's provider is given, and how soon it gives something: into metrics."""

import time
from typing import Any

from parley import metrics
from parley.audio import BYTES_PER_SAMPLE
from parley.frames import AudioFrame
from parley.messages import Speak
from parley.subjects import Stage


class ProviderFigures:
    """Of one job. An agent is asked as its job begins, a voice with its first text.

    How soon a transcriber gives a turn's last words is known to the stt service alone.
    """

    def __init__(self, stage: Stage, provider: str, sample_rate: int | None = None) -> None:
        self._provider = provider
        self._stage = stage
        self._sample_rate = sample_rate
        self._asked_at = time.monotonic() if stage is Stage.AGENT else None
        self._awaited = stage is not Stage.STT
        metrics.PROVIDER_JOBS.labels(stage, provider).inc()

    def takes(self, item: Any) -> None:
        """The job has received this."""
        match item:
            case Speak(text=text):
                metrics.PROVIDER_CHARACTERS.labels(self._provider).inc(len(text))
                if self._asked_at is None:
                    self._asked_at = time.monotonic()
            case AudioFrame(pcm=pcm) if self._sample_rate:
                seconds = len(pcm) / BYTES_PER_SAMPLE / self._sample_rate
                metrics.PROVIDER_AUDIO.labels(self._provider).inc(seconds)

    def gives(self) -> None:
        """The job has sent something."""
        if self._awaited and self._asked_at is not None:
            took = time.monotonic() - self._asked_at
            metrics.PROVIDER_FIRST_RESULT.labels(self._stage, self._provider).observe(took)
            self._awaited = False
