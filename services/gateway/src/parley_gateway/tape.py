"""Where each piece of a call's sound belongs in its recording. Pure.

Both sides are laid on one clock, the gateway's. What the caller said is placed by its position in
their audio, so that a network that stalls and catches up does not tear words; what the bot said,
where the caller's ear hears it: paced, paused, cut off.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

CALLER, BOT = 0, 1
"""The channels: left and right."""

HOLD_SECONDS = 2.0
"""How long audio of the caller's that seems to be late waits, once no more of the delay is made up:
what comes after it tells by how much it was late ..."""
MAX_HOLD_SECONDS = 10.0
"""... but never longer than so."""
CHUNK_SECONDS = 0.02
"""What arrives within that time is placed in one piece."""
TOLERANCE_SECONDS = 0.04
"""A delay that differs by less is the network's, and no reason to move what follows."""
SLACK_SECONDS = 0.01
"""Ticks are late by a hair: a gap this short between the bot's frames is none."""


@dataclass(frozen=True)
class Piece:
    """PCM16 of one channel; `start` is its first sample's place in the recording."""

    channel: int
    start: int
    pcm: bytes

    @property
    def end(self) -> int:
        """The place after its last sample."""
        return self.start + len(self.pcm) // 2


class Tape:
    """One call's sound at `rate` Hz, from the moment `began` (s) on. Times never go back."""

    def __init__(self, rate: int, began: float) -> None:
        self._rate = rate
        self._began = began
        self._caller = _CallerTrack(rate)
        self._bot = _BotTrack(rate)

    def caller(self, now: float, pcm: bytes) -> None:
        """The caller's next PCM16 has arrived."""
        self._caller.add(now - self._began, pcm)

    def bot(self, now: float, pcm: bytes) -> None:
        """The bot's next PCM16 is delivered: it is heard now, or after what is there."""
        self._bot.play(now - self._began, pcm)

    def clear(self, now: float, _: bytes = b"") -> None:
        """The caller's ear hears no more of what was delivered."""
        self._bot.cut(now - self._began)

    def take(self, now: float, *, last: bool = False) -> list[Piece]:
        """What can be written by now; with `last`, all. Later pieces go over earlier ones."""
        return [
            *_joined(self._caller.take(now - self._began, last=last)),
            *_joined(self._bot.take()),
        ]

    def length(self, now: float) -> int:
        """How many samples the recording has by now."""
        return max(round((now - self._began) * self._rate), 0)


@dataclass
class _Chunk:
    """Audio that arrived together; `end` counts the samples of the caller's audio up to there."""

    first_at: float
    last_at: float
    end: int
    pcm: bytearray


class _CallerTrack:
    """Finds the delay of what arrives: the least of all that follows is the network's own."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._chunks: deque[_Chunk] = deque()
        self._end = 0
        self._anchor: int | None = None
        """The place in the recording of the first sample of the caller's audio."""

    def add(self, now: float, pcm: bytes) -> None:
        self._end += len(pcm) // 2
        last = self._chunks[-1] if self._chunks else None
        if last is not None and now - last.first_at < CHUNK_SECONDS:
            last.pcm += pcm
            last.last_at, last.end = now, self._end
        else:
            self._chunks.append(_Chunk(now, now, self._end, bytearray(pcm)))

    def take(self, now: float, *, last: bool) -> Iterator[Piece]:
        while self._chunks:
            oldest = self._chunks[0]
            if self._is_far(self._offset(oldest)):
                in_time, least = self._first_in_time()
                if self._is_far(least):
                    may_improve = in_time.last_at > now - HOLD_SECONDS
                    if may_improve and not last and oldest.last_at > now - MAX_HOLD_SECONDS:
                        return
                    self._anchor = least
                while self._chunks[0] is not in_time:
                    yield from self._place(self._chunks.popleft())
            yield from self._place(self._chunks.popleft())

    def _place(self, chunk: _Chunk) -> Iterator[Piece]:
        start = (self._anchor or 0) + chunk.end - len(chunk.pcm) // 2
        if start < 0:
            del chunk.pcm[: -2 * start]
        if chunk.pcm:
            yield Piece(CALLER, max(start, 0), bytes(chunk.pcm))

    def _first_in_time(self) -> tuple[_Chunk, int]:
        """The chunk with which the network has caught up, and where the audio of all began."""
        least = min(map(self._offset, self._chunks))
        far = TOLERANCE_SECONDS * self._rate
        return next(one for one in self._chunks if self._offset(one) - least <= far), least

    def _offset(self, chunk: _Chunk) -> int:
        return round(chunk.last_at * self._rate) - chunk.end

    def _is_far(self, offset: int) -> bool:
        far = TOLERANCE_SECONDS * self._rate
        return self._anchor is None or abs(offset - self._anchor) > far


def _joined(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The same, but what follows upon another is one piece with it."""
    parts: list[Piece] = []
    for piece in pieces:
        if parts and piece.start != parts[-1].end:
            yield Piece(parts[0].channel, parts[0].start, b"".join(one.pcm for one in parts))
            parts = []
        parts.append(piece)
    if parts:
        yield Piece(parts[0].channel, parts[0].start, b"".join(one.pcm for one in parts))


class _BotTrack:
    """The ear hears what is delivered in real time, without gaps, until it is told to drop it."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._pieces: list[Piece] = []
        self._end = 0

    def play(self, at: float, pcm: bytes) -> None:
        start = round(at * self._rate)
        if start < self._end + SLACK_SECONDS * self._rate:
            start = self._end
        self._pieces.append(Piece(BOT, start, pcm))
        self._end = start + len(pcm) // 2

    def cut(self, at: float) -> None:
        start = round(at * self._rate)
        if start < self._end:
            self._pieces.append(Piece(BOT, start, bytes(2 * (self._end - start))))
            self._end = start

    def take(self) -> list[Piece]:
        pieces, self._pieces = self._pieces, []
        return pieces
