"""What a cloud transcriber needs to outlive a broken connection. Pure: no clock, no I/O.

`Replay` keeps the audio that is in no final yet. All that a connection is sent is taken from it,
and the next connection begins again where the finals end:

    audio, FINALIZE -> append -> [ sent, not yet final | not yet sent ] -> take -> connection
                                  ^ rewind: the next connection begins here

An adapter has one task that appends what `audio` yields, and waits while `is_full`. For each
connection it calls `rewind`, has a sender that sends what it can `take`, and a receiver that puts
the provider's times through `position_ms` and says with `settle` and `answer` what is final.
`Reconnects` says whether, and when, to connect again.
"""

from collections import deque

from parley.audio import HEARING_RATE, bytes_for, duration_ms
from parley.messages import Retry
from parley.providers import Cue, ProviderError

KEPT_MS = 30_000.0
"""So much sent audio is kept at most: a final that comes later than that is not to be expected."""
IDLE_KEPT_MS = 3_000.0
"""So much is kept while nobody speaks: not to have a new connection hear a long silence again."""
AHEAD_MS = 5_000.0
"""So much may wait to be sent. After that, whoever appends has to wait."""
LEAD_IN_MS = 100.0
"""Silence before a FINALIZE that its answer does not cover: the next word's onset may be in it."""

TRIES = 2
"""New connections in a row that bring no message, before the provider is given up."""
BREAKS = 5
"""A provider that breaks off so often within BREAKS_SECONDS is given up, whatever it brings."""
BREAKS_SECONDS = 30.0
FIRST_WAIT_SECONDS = 0.1
"""The wait before the first new connection; each break soon after doubles it."""


class Replay:
    """The audio of one hearing, PCM16 mono at 16 kHz, from the end of the last final on.

    Positions are in ms from the first byte ever appended.
    """

    def __init__(self) -> None:
        self._audio = bytearray()
        self._begin = 0
        """Place of the first byte that is kept; all places are in bytes from the first ever."""
        self._next = 0
        """Place of the next byte to send."""
        self._finalizes: deque[int] = deque()
        """Places of the FINALIZEs without an answer ..."""
        self._asked = 0
        """... of which this connection has had so many."""
        self._speaking = False
        self._origin = 0
        """Place in the audio of this connection's first byte."""
        self._fills: deque[tuple[int, int]] = deque()
        """What this connection was sent besides: place, and bytes of silence before it."""

    # --- What is to be heard

    def append(self, item: bytes | Cue) -> None:
        """Hear this next. Cues but FINALIZE only tell whether somebody speaks."""
        match item:
            case Cue.SPEECH_STARTED:
                self._speaking = True
            case Cue.FINALIZE:
                self._speaking = False
                self._finalizes.append(self._end)
            case bytes():
                self._audio += item
        self._forget()

    @property
    def heard_ms(self) -> float:
        """The length of all audio so far."""
        return _ms(self._end)

    @property
    def is_full(self) -> bool:
        """Whether so much waits to be sent that no more should be appended for now."""
        return _ms(self._end - self._next) >= AHEAD_MS

    # --- What the connection gets

    def rewind(self) -> None:
        """A new connection: what is not final is sent again, FINALIZEs without answer too."""
        self._next = self._origin = self._begin
        self._asked = 0
        self._fills.clear()

    def take(self, at_least: int = 1, at_most: int = 1 << 20) -> bytes | Cue | None:
        """What this connection is to be sent next: audio, or FINALIZE in its place.

        Audio comes in chunks of `at_least` to `at_most` bytes (even numbers, but for 1); a shorter
        one only before a FINALIZE. None: there is nothing for now.
        """
        waiting = self._asked < len(self._finalizes)
        until = self._finalizes[self._asked] if waiting else self._end
        size = min(until - self._next, at_most)
        if size <= 0:
            self._asked += waiting
            return Cue.FINALIZE if waiting else None
        if size < at_least and not waiting:
            return None
        begin = self._next - self._begin
        self._next += size
        chunk = bytes(self._audio[begin : begin + size])
        self._forget()
        return chunk

    def fill(self, size: int) -> None:
        """The connection is sent `size` bytes of silence that are not of the caller's audio."""
        self._fills.append((self._next, size))

    # --- What is final

    def position_ms(self, stream_ms: float) -> float:
        """The position of what this connection says is `stream_ms` from its first byte."""
        stream = _bytes(stream_ms)
        filled = 0
        for place, size in self._fills:
            before = place - self._origin + filled
            if stream <= before:
                break
            filled += min(size, stream - before)
        return min(_ms(self._origin + stream - filled), self.heard_ms)

    @property
    def settled_ms(self) -> float:
        """Up to here there is nothing to replay: it is final, or too long ago."""
        return _ms(self._begin)

    @property
    def owes(self) -> int:
        """FINALIZEs that this connection has had, and not answered."""
        return self._asked

    @property
    def asked_ms(self) -> float | None:
        """Where the oldest of those stands; None: all are answered."""
        return _ms(self._finalizes[0]) if self._asked else None

    def settle(self, end_ms: float, turn_over: bool = False) -> None:
        """All words up to this position are in finals. `turn_over`: and nobody speaks now."""
        self._drop(min(_bytes(end_ms), self._next))
        if turn_over:
            self._speaking = False
        self._forget()

    def answer(self) -> None:
        """The oldest FINALIZE is answered: all before it is final."""
        if not self._finalizes:
            return
        place = self._finalizes.popleft()
        self._asked = max(self._asked - 1, 0)
        self._drop(min(place - _bytes(LEAD_IN_MS), self._next))
        self._forget()

    # ---

    @property
    def _end(self) -> int:
        return self._begin + len(self._audio)

    def _forget(self) -> None:
        """What is too old is dropped, but nothing that was not sent yet."""
        idle = not self._speaking and not self._finalizes
        kept = _bytes(IDLE_KEPT_MS if idle else KEPT_MS)
        self._drop(min(self._end - kept, self._next))

    def _drop(self, until: int) -> None:
        if until > self._begin:
            del self._audio[: until - self._begin]
            self._begin = until
        while self._fills and self._fills[0][0] < self._begin:
            self._origin -= self._fills.popleft()[1]  # all times to come are after it


class OverdueError(ProviderError):
    """The provider owes something and gives nothing. No time is left for another connection."""


class Reconnects:
    """Whether a provider that broke off is to be connected to again."""

    def __init__(self) -> None:
        self._vain = 0
        self._breaks: deque[float] = deque()

    def worked(self) -> None:
        """The connection has brought a message of the hearing."""
        self._vain = 0

    def wait_seconds(self, error: ProviderError, now: float) -> float:
        """How long to wait before the next connection, after this one broke at `now` (s).

        Raises `error` where none is worth it: what was refused stays refused, and what is overdue
        cannot wait.
        """
        while self._breaks and now - self._breaks[0] > BREAKS_SECONDS:
            self._breaks.popleft()
        self._breaks.append(now)
        self._vain += 1
        is_final = isinstance(error, OverdueError) or error.retry is not Retry.NOW
        if is_final or self._vain > TRIES or len(self._breaks) >= BREAKS:
            raise error
        wait: float = FIRST_WAIT_SECONDS * 2 ** (len(self._breaks) - 1)
        return wait


def _ms(size: int) -> float:
    return duration_ms(size, HEARING_RATE)


def _bytes(ms: float) -> int:
    return bytes_for(ms, HEARING_RATE)
