"""When the caller speaks, pauses and is done, from the probability of voice alone.

A pure state machine: its only clock is the audio, 32 ms a window. A turn opens with the
first speech and stays open over pauses shorter than the endpointing time, so speech that
goes on continues the same turn.
"""

from collections import deque
from dataclasses import dataclass

WINDOW_MS = 32.0
"""The audio in one window."""
START_PROBABILITY = 0.5
"""A silent caller is voiced from here on ..."""
STAY_PROBABILITY = 0.35
"""... and stays voiced down to here, so that a voice does not flicker."""
CONFIRM_WINDOWS = 4
"""Speech has started when, of so many windows in a row, ..."""
CONFIRM_VOICED = 3
"""... so many are voiced. A click is voiced for one."""
PAUSE_MS = 192.0
"""Silence after which speech has stopped: longer than the stop in a spoken consonant."""
PROGRESS_MS = 96.0
"""Voice between two reports that the caller still speaks."""


@dataclass(frozen=True)
class Onset:
    """Speech began at `position_ms`, before it was sure to be speech."""

    position_ms: float


@dataclass(frozen=True)
class Voice:
    """The caller speaks, for `speech_ms` of voice since the onset."""

    speech_ms: float


@dataclass(frozen=True)
class Pause:
    """Voice ended at `position_ms`; it may go on."""

    position_ms: float


@dataclass(frozen=True)
class TurnOver:
    """The silence has lasted for the endpointing time, as decided at `position_ms`."""

    position_ms: float


Event = Onset | Voice | Pause | TurnOver


class Endpointer:
    """Follows one caller. A turn is over after `endpointing_ms` of silence.

    `turn_open`: a turn began before the first window, and is over likewise.
    """

    def __init__(self, endpointing_ms: float, turn_open: bool = False) -> None:
        self._endpointing_ms = endpointing_ms
        self._pause_ms = min(PAUSE_MS, endpointing_ms)
        self._voiced = False
        self._speaking = False
        self._turn_open = turn_open
        self._recent: deque[tuple[float, bool]] = deque(maxlen=CONFIRM_WINDOWS)
        self._voice_end_ms = 0.0
        self._silent_ms = 0.0
        self._speech_ms = 0.0
        self._reported_ms = 0.0

    def push(self, probability: float, position_ms: float) -> list[Event]:
        """What the next window means: its probability of voice, and where it begins."""
        self._voiced = probability >= (STAY_PROBABILITY if self._voiced else START_PROBABILITY)
        end_ms = position_ms + WINDOW_MS
        self._silent_ms += WINDOW_MS
        if self._speaking:
            return self._speech(end_ms)
        self._recent.append((position_ms, self._voiced))
        return self._silence(end_ms)

    def _silence(self, end_ms: float) -> list[Event]:
        voiced = [position for position, is_voiced in self._recent if is_voiced]
        if len(voiced) >= CONFIRM_VOICED:
            self._speaking = self._turn_open = True
            self._recent.clear()
            self._voice_end_ms = end_ms
            self._silent_ms = 0.0
            self._speech_ms = len(voiced) * WINDOW_MS
            self._reported_ms = 0.0
            return [Onset(voiced[0]), *self._progress()]
        # What may yet turn out to be speech holds the turn open until that is known.
        return [] if voiced else self._end_of_turn(end_ms)

    def _speech(self, end_ms: float) -> list[Event]:
        if self._voiced:
            self._voice_end_ms = end_ms
            self._silent_ms = 0.0
            self._speech_ms += WINDOW_MS
            return self._progress()
        if self._silent_ms < self._pause_ms:
            return []
        self._speaking = False
        return [Pause(self._voice_end_ms), *self._end_of_turn(end_ms)]

    def _progress(self) -> list[Event]:
        if self._speech_ms - self._reported_ms < PROGRESS_MS:
            return []
        self._reported_ms = self._speech_ms
        return [Voice(self._speech_ms)]

    def _end_of_turn(self, end_ms: float) -> list[Event]:
        if not self._turn_open or self._silent_ms < self._endpointing_ms:
            return []
        self._turn_open = False
        return [TurnOver(end_ms)]
