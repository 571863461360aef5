"""Paced playout of one turn: what to deliver now, and what the ear has heard. Pure.

The caller's device plays in real time from the first frame on. Audio is delivered a small,
fixed lead ahead of it, so that a late tick is not heard; the lead does not count as heard.
"""

from dataclasses import dataclass

from parley.audio import bytes_for, duration_ms

FRAME_MS = 20
LEAD_MS = 160.0
"""How far delivery runs ahead of the ear; with one frame's rounding it stays below 200 ms."""
REWIND_MS = 3_000.0
"""So much of what was delivered is kept, to be delivered again."""


@dataclass(frozen=True)
class Delivery:
    """What one tick delivers. `starved`: with this tick the ear ran out of audio."""

    frames: list[bytes]
    starved: bool = False


_NOTHING = Delivery([])


class Playout:
    """One turn's audio, PCM16 mono. Times are seconds on any steady clock."""

    def __init__(self, sample_rate: int, lead_ms: float = LEAD_MS) -> None:
        self._rate = sample_rate
        self._lead_ms = lead_ms
        self._frame = bytes_for(FRAME_MS, sample_rate)
        self._audio = bytearray()
        self._forgotten = 0
        self._next = 0
        self._padding = 0
        self._complete = False
        self._anchor: float | None = None

    def push(self, pcm: bytes) -> None:
        """Audio to be played after what is there."""
        self._audio += pcm

    def finish(self) -> None:
        """No more audio comes for this turn."""
        self._complete = True
        if rest := self._waiting % self._frame:
            self._padding = self._frame - rest
            self._audio += bytes(self._padding)

    @property
    def _waiting(self) -> int:
        return len(self._audio) - self._next

    @property
    def _audio_ms(self) -> float:
        return self._ms(self._forgotten + len(self._audio) - self._padding)

    @property
    def _delivered_ms(self) -> float:
        return self._ms(self._forgotten + self._next)

    def _ms(self, size: int) -> float:
        return duration_ms(size, self._rate)

    @property
    def delivered_ms(self) -> float:
        """How much of the turn's audio (ms) was delivered."""
        return min(self._delivered_ms, self._audio_ms)

    def drop_after(self, ms: float) -> None:
        """Drop the audio after the first `ms` of the turn, which other audio will replace."""
        keep = max(bytes_for(ms, self._rate) - self._forgotten, self._next)
        del self._audio[keep:]

    def rewind(self, ms: float) -> float:
        """Deliver again from about `ms` into the turn on; the position (ms) that it really is.

        What was delivered after that is taken not to have been heard.
        """
        frames = int(min(ms, self._delivered_ms) / FRAME_MS)
        self._next = max(frames * self._frame - self._forgotten, 0)
        self._anchor = None
        return self._delivered_ms

    def due(self, now: float) -> Delivery:
        """Take what has to be delivered by now."""
        ready = self._waiting // self._frame
        delivered_ms = self._delivered_ms
        if self._anchor is None:
            if not ready:
                return _NOTHING
            # The ear begins (again) here: what was delivered before has all been played.
            self._anchor = now - delivered_ms / 1000
        ear_ms = (now - self._anchor) * 1000
        # Rounded: a tick that is a hair early must not leave its frame to the next one.
        wanted = round((ear_ms + self._lead_ms - delivered_ms) / FRAME_MS)
        frames = self._take(min(wanted, ready))
        if ear_ms >= self._delivered_ms and not self._complete:
            self._anchor = None
            return Delivery(frames, starved=True)
        return Delivery(frames) if frames else _NOTHING

    def _take(self, count: int) -> list[bytes]:
        if count <= 0:
            return []
        size, begin = self._frame, self._next
        self._next += count * size
        frames = [bytes(self._audio[at : at + size]) for at in range(begin, self._next, size)]
        self._forget()
        return frames

    def _forget(self) -> None:
        """Let go of the oldest audio: seldom, so that it costs little, and in whole frames."""
        kept = bytes_for(REWIND_MS, self._rate)
        if self._next > 2 * kept:
            old = (self._next - kept) // self._frame * self._frame
            del self._audio[:old]
            self._forgotten += old
            self._next -= old

    def heard_ms(self, now: float) -> float:
        """How much of the turn's audio (ms) the ear has heard."""
        if self._anchor is None:
            return self.delivered_ms
        return min((now - self._anchor) * 1000, self.delivered_ms)

    def ahead_ms(self, now: float) -> float:
        """How much audio (ms) is there that the ear has not heard."""
        return self._audio_ms - self.heard_ms(now)

    def ended_by(self, heard_ms: float) -> bool:
        """Whether that is all of the turn's audio, and no more comes."""
        return self._complete and not self._waiting and heard_ms >= self._audio_ms
