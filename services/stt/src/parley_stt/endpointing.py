"""When the caller speaks, pauses and is done, from the probability of voice alone.

A pure state machine: its only clock is the audio, 32 ms a window. A turn opens with the
first speech and stays open over pauses, so speech that goes on continues the same turn. How
much silence ends it can be said anew in each pause, by whoever knows what was said.
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
HUSH_MS = 96.0
"""Words are looked at after so much silence, which may be a consonant's: so they are known when
it turns out to be a pause ..."""
COSTLY_MS = 5_000.0
"""... unless there was so much voice: then in a pause only, since a look costs by the length."""
NEARLY_MS = 1_000.0
"""So long before a turn would be over it is worth beginning a reply."""
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
class Hush:
    """Voice ended at `position_ms` for the moment: now its words can be looked at."""

    position_ms: float


@dataclass(frozen=True)
class GoesOn:
    """After a hush that was no pause: the voice goes on."""


@dataclass(frozen=True)
class Pause:
    """Speech stopped: voice ended at `position_ms`. It may go on with another onset."""

    position_ms: float


@dataclass(frozen=True)
class TurnOver:
    """The silence has lasted long enough, as decided at `position_ms`."""

    position_ms: float


Event = Onset | Voice | Hush | GoesOn | Pause | TurnOver


class Endpointer:
    """Follows one caller. A turn is over after `silence_ms`, unless `wait` says otherwise.

    `turn_open`: a turn began before the first window, and is over likewise.
    """

    def __init__(self, silence_ms: float, turn_open: bool = False) -> None:
        self._usual_ms = self._awaited_ms = silence_ms
        self._pause_ms = min(PAUSE_MS, silence_ms)
        self._voiced = False
        self._speaking = False
        self._hushed = False
        self._turn_open = turn_open
        self._recent: deque[tuple[float, bool]] = deque(maxlen=CONFIRM_WINDOWS)
        self._voice_end_ms = 0.0
        self._silent_ms = 0.0
        self._speech_ms = 0.0
        self._reported_ms = 0.0
        self._turn_ms = 0.0

    def wait(self, silence_ms: float) -> None:
        """Until there is voice again, so much silence ends the turn."""
        self._awaited_ms = silence_ms

    def end_turn(self) -> None:
        """The turn is over, as others know. More voice opens the next."""
        self._turn_open = False
        self._turn_ms = 0.0

    @property
    def is_nearly_over(self) -> bool:
        """Whether little more silence ends the turn, or none."""
        in_pause = self._turn_open and not self._speaking
        return in_pause and self._silent_ms >= self._awaited_ms - NEARLY_MS

    def push(self, probability: float, position_ms: float) -> list[Event]:
        """What the next window means: its probability of voice, and where it begins."""
        self._voiced = probability >= (STAY_PROBABILITY if self._voiced else START_PROBABILITY)
        end_ms = position_ms + WINDOW_MS
        self._silent_ms += WINDOW_MS
        if self._speaking:
            return self._voice(end_ms) if self._voiced else self._hush(end_ms)
        self._recent.append((position_ms, self._voiced))
        return self._silence(end_ms)

    def _silence(self, end_ms: float) -> list[Event]:
        voiced = [position for position, is_voiced in self._recent if is_voiced]
        if len(voiced) >= CONFIRM_VOICED:
            self._speaking = True
            self._recent.clear()
            self._speech_ms = self._reported_ms = 0.0
            self._hear(len(voiced) * WINDOW_MS, end_ms)
            return [Onset(voiced[0]), *self._progress()]
        # What may yet turn out to be speech holds the turn open until that is known.
        return [] if voiced else self._end_of_turn(end_ms)

    def _voice(self, end_ms: float) -> list[Event]:
        hushed, self._hushed = self._hushed, False
        self._hear(WINDOW_MS, end_ms)
        return [GoesOn(), *self._progress()] if hushed else self._progress()

    def _hear(self, voice_ms: float, end_ms: float) -> None:
        self._speech_ms += voice_ms
        self._turn_ms += voice_ms
        self._voice_end_ms = end_ms
        self._silent_ms = 0.0
        self._awaited_ms = self._usual_ms

    def _hush(self, end_ms: float) -> list[Event]:
        events: list[Event] = []
        if self._silent_ms >= self._pause_ms:
            self._speaking = False
            events.append(Pause(self._voice_end_ms))
        hush_ms = HUSH_MS if self._turn_ms < COSTLY_MS else self._pause_ms
        if not self._hushed and self._silent_ms >= min(hush_ms, self._pause_ms):
            self._hushed = True
            events.append(Hush(self._voice_end_ms))
        if self._speaking:
            return events
        self._hushed = False
        return [*events, *self._end_of_turn(end_ms)]

    def _progress(self) -> list[Event]:
        if self._speech_ms - self._reported_ms < PROGRESS_MS:
            return []
        self._reported_ms = self._speech_ms
        self._turn_open = True
        return [Voice(self._speech_ms)]

    def _end_of_turn(self, end_ms: float) -> list[Event]:
        if not self._turn_open or self._silent_ms < self._awaited_ms:
            return []
        self.end_turn()
        return [TurnOver(end_ms)]
