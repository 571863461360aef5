"""What a caller's device plays: a jitter buffer in real time, on a clock that is handed in."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from parley_cli.wav import Samples

LIMIT_SECONDS = 30
"""More than so much audio is not kept; a server that paces its audio never comes near it."""


@dataclass(frozen=True)
class Gap:
    """A silence inside a turn because its audio came late."""

    turn: int
    at: float
    """Seconds on the clock."""
    ms: float


class Playback:
    """Plays what it is given from the moment it arrives, after a small fixed delay.

    The buffer plays out in real time. When it is empty, silence is played, and what comes next
    waits `jitter_ms` again. Nothing here sleeps: `advance` plays up to the clock's now.
    """

    def __init__(
        self,
        sample_rate: int,
        clock: Callable[[], float],
        jitter_ms: float = 40,
        record: bool = True,
    ) -> None:
        self.started_at = clock()
        """The moment (s) of the recording's first sample."""
        self.begun: dict[int, float] = {}
        """When (s) the first sample of each turn was played."""
        self.ended: dict[int, float] = {}
        """When (s) the last sample so far of each turn was played."""
        self.gaps: list[Gap] = []
        self.speaker: Callable[[Samples], None] | None = None
        """Gets what is played, silence included, as it is played."""
        self.dropped_samples = 0
        """What did not fit into the buffer."""
        self._rate = sample_rate
        self._clock = clock
        self._jitter = int(jitter_ms * sample_rate / 1000)
        self._record: list[Samples] | None = [] if record else None
        self._queue: deque[tuple[int, Samples]] = deque()
        self._queued = 0
        self._position = 0  # samples played since the start, silence included
        self._resume_at = 0  # the position at which the buffer may begin to play
        self._turn: int | None = None
        self._turn_over = False
        self._silenced = False  # whether the silence that follows is as the server wants it
        self._held: list[tuple[int, Samples]] = []
        self._played: dict[int, int] = {}

    @property
    def playing(self) -> bool:
        """Whether the buffer holds anything."""
        return self._queued > 0

    @property
    def recording(self) -> Samples:
        """All that was played since the start, silence included."""
        if not self._record:
            return np.zeros(0, np.int16)
        return np.concatenate(self._record)

    def begin(self, turn: int, ms: float = 0.0) -> None:
        """What is pushed from here on belongs to `turn`, of whose audio it lies at `ms`."""
        self._turn, self._turn_over = turn, False
        self._played.pop(turn, None)
        if ms:
            self._played[turn] = round(ms * self._rate / 1000)

    def end(self, turn: int) -> None:
        """The server counts `turn` as heard to its end; the rest of it is not sent again."""
        self._turn_over |= turn == self._turn

    def push(self, samples: Samples) -> None:
        """Audio has arrived."""
        self.advance()
        if self._queued + len(samples) > LIMIT_SECONDS * self._rate:
            self.dropped_samples += len(samples)
            return
        if not self._queued and len(samples):
            self._resume_at = self._position + self._jitter
            if not self._silenced:
                self._note_gap()
            self._silenced = False
        self._queue.append((self._turn or 0, samples))
        self._queued += len(samples)

    def clear(self) -> None:
        """Drop what is not yet played; the silence until more comes is no gap."""
        self.advance()
        self._silenced = True
        self._queue.clear()
        self._held = []
        self._queued = 0

    def hold(self) -> tuple[int, float] | None:
        """Stop the current turn here; the turn, and how much (ms) of it is played.

        None where no turn has begun. What there is of turns that are over plays on: nobody
        sends it again. The rest of the current one waits for `release` or `restart`.
        """
        self.advance()
        if self._turn is None:
            return None
        if not self._turn_over:
            self._held = [one for one in self._queue if one[0] == self._turn]
            self._queue = deque(one for one in self._queue if one[0] != self._turn)
            self._count()
        left = sum(len(samples) for turn, samples in self._queue if turn == self._turn)
        return self._turn, (self._played.get(self._turn, 0) + left) * 1000 / self._rate

    def release(self) -> None:
        """Play on what was held, from where it was stopped."""
        self.advance()
        if self._held and not self._queue:
            self._resume_at = self._position
        self._queue.extend(self._held)
        self._held = []
        self._count()

    def restart(self) -> None:
        """Forget what was held: it comes again, counted anew from where the turn was stopped."""
        self._held = []
        if self._turn is not None and not self._turn_over:
            self._played.pop(self._turn, None)

    def advance(self) -> Samples:
        """Play up to now; what was played since the last time."""
        now = int((self._clock() - self.started_at) * self._rate)
        out = np.zeros(max(0, now - self._position), np.int16)
        end = self._position + len(out)
        at = max(self._position, self._resume_at)
        while self._queue and at < end:
            turn, samples = self._queue.popleft()
            count = min(len(samples), end - at)
            start = at - self._position
            out[start : start + count] = samples[:count]
            if count < len(samples):
                self._queue.appendleft((turn, samples[count:]))
            self._queued -= count
            self._note_played(turn, at, count)
            at += count
        self._position = end
        if self._record is not None and len(out):
            self._record.append(out)
        if self.speaker is not None and len(out):
            self.speaker(out)
        return out

    def report(self) -> tuple[int, float] | None:
        """The turn that was played last, and how much (ms) of it; None before the first."""
        if not self._played:
            return None
        turn = next(reversed(self._played))
        return turn, self._played[turn] * 1000 / self._rate

    def _count(self) -> None:
        self._queued = sum(len(samples) for _, samples in self._queue)

    def _note_played(self, turn: int, at: int, count: int) -> None:
        self.begun.setdefault(turn, self.started_at + at / self._rate)
        self.ended[turn] = self.started_at + (at + count) / self._rate
        self._played[turn] = self._played.get(turn, 0) + count

    def _note_gap(self) -> None:
        turn = self._turn or 0
        if turn in self.ended:
            dry_at = self.ended[turn]
            ms = (self.started_at + self._resume_at / self._rate - dry_at) * 1000
            self.gaps.append(Gap(turn, dry_at, ms))
