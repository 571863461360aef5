"""The caller's device: a microphone that hears what is to be said, and a loudspeaker."""

import asyncio
import time
from collections.abc import Callable

import numpy as np

from parley.audio import mulaw_decode, mulaw_encode
from parley_cli.caller import CallerVoice
from parley_cli.dial import Options
from parley_cli.playback import Playback
from parley_cli.uplink import Uplink
from parley_cli.wav import Samples

FRAME_MS = 20
REPORT_EVERY_FRAMES = 10
"""Playback is reported each 200 ms while something plays."""


class Device:
    """Runs in real time from when it is made, whether or not there is a connection."""

    def __init__(self, options: Options) -> None:
        self.voice = CallerVoice()
        self.voice_ended_at: float | None = None
        """When (s) the caller last ran out of speech to say."""
        self.playback = Playback(
            options.sample_rate, time.monotonic, options.jitter_ms, options.record
        )
        self.uplink = Uplink(options.sample_rate, options.sample_bytes, time.monotonic)
        self.report_due = False
        """Whether the server should be told how far playback is; whoever does so resets it."""
        self._mulaw = options.encoding == "mulaw"
        self._frame = options.sample_rate * FRAME_MS // 1000
        self._record = options.record
        self._recorded: list[Samples] = []

    @property
    def recorded(self) -> Samples:
        """What the microphone has heard since the start."""
        return np.concatenate(self._recorded) if self._recorded else np.zeros(0, np.int16)

    def receive(self, audio: bytes) -> None:
        """Play this, in the call's encoding, after what is there."""
        pcm = mulaw_decode(audio) if self._mulaw else audio
        self.playback.push(np.frombuffer(pcm, "<i2"))

    def hold(self) -> dict[str, str]:
        """Where the call stands, as parameters of a query.

        The loudspeaker stops where it is said to be, until `go_on` or `release`.
        """
        position = {"audio_ms": f"{self.uplink.offer_ms():.3f}"}
        if (heard := self.playback.hold()) is not None:
            turn, ms = heard
            position |= {"heard_turn": str(turn), "heard_ms": f"{ms:.3f}"}
        return position

    def release(self) -> None:
        """Nobody has taken up the call: play on."""
        self.playback.release()

    def go_on(self, audio_from_ms: float) -> None:
        """The call goes on: the bot's audio comes again from where it was held.

        The caller's is to be sent from `audio_from_ms` on.
        """
        self.playback.restart()
        self.uplink.go_on(audio_from_ms)

    async def run(self, on_frame: Callable[[], None]) -> None:
        """Each 20 ms of absolute time: a frame heard, and the loudspeaker on by as much.

        A frame is heard when its last sample would have been recorded.
        """
        was_playing, number = False, 0
        while True:
            number += 1
            due = self.playback.started_at + number * FRAME_MS / 1000
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self._hear()
            self.playback.advance()
            playing = self.playback.playing
            if (playing and number % REPORT_EVERY_FRAMES == 0) or (was_playing and not playing):
                self.report_due = True
            was_playing = playing
            on_frame()

    def _hear(self) -> None:
        speaking = self.voice.pending > 0
        samples = self.voice.take(self._frame)
        if speaking and not self.voice.pending:
            self.voice_ended_at = time.monotonic()
        if self._record:
            self._recorded.append(samples)
        pcm = samples.astype("<i2").tobytes()
        self.uplink.add(mulaw_encode(pcm) if self._mulaw else pcm)
