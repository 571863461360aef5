"""The caller's audio that a transcriber may still need: sent once, kept to be sent again. Pure.

Positions count samples since the call's audio began. What a final transcription covers is
forgotten. Of the rest, a worker that takes over needs the speech that is under way from a
moment before its onset on, or else just what the lost one may not have heard.
"""

from collections import deque
from collections.abc import Callable
from time import monotonic

from parley.audio import BYTES_PER_SAMPLE

LONGEST_SECONDS = 40.0
"""More than a transcriber lets pass without a final; beyond that the oldest is dropped."""
SILENCE_SECONDS = 6.0
"""While nobody speaks: more than it takes to notice a loss and find another worker."""
ONSET_MARGIN_SECONDS = 0.3
"""The onset of speech is known a little late. Less than the shortest endpointing is silence
that could be taken for the end of a turn."""
UNSURE_SECONDS = 1.0
"""A worker says that speech began only once it is sure."""


class Unheard:
    """One call's audio, PCM16 at `rate`, from `position` on; `clock` gives seconds."""

    def __init__(
        self, rate: int, position: int = 0, clock: Callable[[], float] = monotonic
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._sent: deque[tuple[float, int]] = deque()
        self._audio = bytearray()
        self._start = self.end = position
        self.cursor = position
        """What is before it has been sent."""
        self._understood = position
        self._onset: int | None = None

    # --- Audio

    def push(self, pcm: bytes) -> None:
        """The caller's next PCM16."""
        self._audio += pcm
        self.end += len(pcm) // BYTES_PER_SAMPLE
        self._forget()

    def take(self, longest: int) -> tuple[int, bytes]:
        """The next audio to send, of `longest` bytes at most, and its position. See `sent`."""
        begin = (self.cursor - self._start) * BYTES_PER_SAMPLE
        return self.cursor, bytes(self._audio[begin : begin + longest])

    def sent(self, pcm: bytes) -> None:
        """That audio, from `take`, has been sent."""
        now = self._clock()
        self._sent.append((now, self.cursor))
        while self._sent[0][0] < now - SILENCE_SECONDS:
            self._sent.popleft()
        self.cursor += len(pcm) // BYTES_PER_SAMPLE
        self._forget()

    # --- What is known of it

    def onset(self, position_ms: float) -> None:
        """Speech began there."""
        if self._onset is None:
            self._onset = self._samples(position_ms)

    def turn_under_way(self) -> None:
        """A turn of which a part was understood elsewhere goes on from here."""
        self._onset = self._understood - 1

    def understood(self, position_ms: float) -> None:
        """A final transcription covers the audio up to there."""
        self._understood = max(self._understood, min(self._samples(position_ms), self.end))
        self._forget()

    def turn_over(self) -> None:
        """What was being said has been said."""
        self._onset = None
        self._forget()

    @property
    def understood_ms(self) -> float:
        """How far (ms) final transcriptions cover the call's audio."""
        return self._understood * 1000 / self._rate

    @property
    def turn_open(self) -> bool:
        """Whether a turn is under way of which a part is already understood."""
        return self._onset is not None and self._understood > self._onset

    def replay(self, silent_seconds: float) -> None:
        """Another worker takes over: move `cursor` to where it has to begin.

        `silent_seconds`: how long nothing has been heard of the lost one.
        """
        if self._onset is not None:
            begin = self._onset - int(ONSET_MARGIN_SECONDS * self._rate)
        else:
            begin = self._since(silent_seconds + UNSURE_SECONDS)
        self.cursor = max(min(begin, self.cursor), self._understood, self._start)

    def _since(self, seconds: float) -> int:
        """Where to begin for what was sent, or spoken, in the last `seconds`.

        After a time without NATS much is sent in a moment.
        """
        earliest = self._clock() - seconds
        begin = next((position for at, position in self._sent if at >= earliest), self.cursor)
        return min(begin, self.cursor - int(seconds * self._rate))

    # --- Bounds

    def _forget(self) -> None:
        """Drop what nobody can ask for again."""
        seconds = SILENCE_SECONDS if self._onset is None else LONGEST_SECONDS
        sent_lately = self._sent[0][1] if self._sent else self.cursor
        keep = min(self.end - int(seconds * self._rate), sent_lately, self.cursor)
        if self._onset is not None:
            keep = min(keep, self._onset)
        needed = max(keep, self._understood, self.end - int(LONGEST_SECONDS * self._rate))
        if needed > self._start:
            del self._audio[: (needed - self._start) * BYTES_PER_SAMPLE]
            self._start = needed
        self.cursor = max(self.cursor, self._start)

    def _samples(self, position_ms: float) -> int:
        return round(position_ms * self._rate / 1000)
