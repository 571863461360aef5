"""Paced playout of one conversation: what to deliver now, and what the ear has heard. Pure.

The caller's device plays in real time from the first frame on. Audio is delivered a small,
fixed lead ahead of it, so that a late tick is not heard; the lead does not count as heard.
"""

from dataclasses import dataclass

from parley.audio import bytes_for, duration_ms

FRAME_MS = 20
LEAD_MS = 160.0
"""How far delivery runs ahead of the ear; with one frame's rounding it stays below 200 ms."""


@dataclass(frozen=True)
class Delivery:
    """What one tick delivers. `starved`: with this tick the ear ran out of audio."""

    frames: list[bytes]
    starved: bool = False


_NOTHING = Delivery([])


class Playout:
    """Bot audio of one turn at a time, PCM16 mono. Times are seconds on any steady clock."""

    def __init__(self, sample_rate: int, lead_ms: float = LEAD_MS) -> None:
        self._rate = sample_rate
        self._lead_ms = lead_ms
        self._frame = bytes_for(FRAME_MS, sample_rate)
        self.begin()

    def begin(self) -> None:
        """A turn begins; what is left of the last one is dropped."""
        self._waiting = bytearray()
        self._complete = False
        self._delivered_ms = 0.0
        self._audio_ms = 0.0
        self._anchor: float | None = None

    def push(self, pcm: bytes) -> None:
        """Audio to be played after what is there."""
        self._waiting += pcm
        self._audio_ms += duration_ms(len(pcm), self._rate)

    def finish(self) -> None:
        """No more audio comes for this turn."""
        self._complete = True
        if rest := len(self._waiting) % self._frame:
            self._waiting += bytes(self._frame - rest)

    @property
    def delivered_ms(self) -> float:
        """How much of the turn's audio (ms) was delivered: it cannot be taken back."""
        return min(self._delivered_ms, self._audio_ms)

    def drop_after(self, ms: float) -> None:
        """Drop the audio after the first `ms` of the turn, which other audio will replace."""
        keep = bytes_for(max(ms - self._delivered_ms, 0.0), self._rate)
        del self._waiting[keep:]
        self._audio_ms = self._delivered_ms + duration_ms(len(self._waiting), self._rate)

    def due(self, now: float) -> Delivery:
        """Take what has to be delivered by now."""
        ready = len(self._waiting) // self._frame
        if self._anchor is None:
            if not ready:
                return _NOTHING
            # The ear begins (again) here: what was delivered before has all been played.
            self._anchor = now - self._delivered_ms / 1000
        ear_ms = (now - self._anchor) * 1000
        # Rounded: a tick that is a hair early must not leave its frame to the next one.
        wanted = round((ear_ms + self._lead_ms - self._delivered_ms) / FRAME_MS)
        frames = self._take(min(wanted, ready))
        if ear_ms >= self._delivered_ms and not self._complete:
            self._anchor = None
            return Delivery(frames, starved=True)
        return Delivery(frames) if frames else _NOTHING

    def _take(self, count: int) -> list[bytes]:
        if count <= 0:
            return []
        size = self._frame
        frames = [bytes(self._waiting[i * size : (i + 1) * size]) for i in range(count)]
        del self._waiting[: count * size]
        self._delivered_ms += count * FRAME_MS
        return frames

    def heard_ms(self, now: float) -> float:
        """How much of the turn's audio (ms) the ear has heard."""
        if self._anchor is None:
            return min(self._delivered_ms, self._audio_ms)
        return min((now - self._anchor) * 1000, self._delivered_ms, self._audio_ms)

    def ahead_ms(self, now: float) -> float:
        """How much audio (ms) is there that the ear has not heard."""
        return self._audio_ms - self.heard_ms(now)

    def ended_by(self, heard_ms: float) -> bool:
        """Whether that is all of the turn's audio, and no more comes."""
        return self._complete and not self._waiting and heard_ms >= self._audio_ms
