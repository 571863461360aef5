"""What it costs to know who speaks and who is done: of a core, for each conversation of a worker.

Conversations of recorded speech, with pauses, go in real time through all of a worker's hearing
but the recognition: its texts are given. Run in a process of its own, whose CPU time in all
threads counts; what it costs to play the recordings is measured too, and taken off.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import cycle
from multiprocessing import get_context
from typing import Any

from benchmarks.report import publish
from parley.frames import AudioFrame
from parley.messages import EndOfTurn, HearingSpec, JobMessage
from parley.providers import Cue, Emit, Heard, ProviderSettings, Transcriber
from parley_stt.engines.silero import load_silero
from parley_stt.hearing import Hearing
from parley_stt.voice_activity import VoiceActivity
from support import recordings

CONVERSATIONS = 30
SECONDS = 20.0
RATE = 16_000
FRAME_MS = 20
PAUSES_MS = (300, 700, 1_200, 2_500)
SPEC = HearingSpec(provider="given", sample_rate=RATE, endpointing_ms=400, endpointing_max_ms=1_800)
TEXTS = (("It was the best of", 0.4), ("It was the age of wisdom.", 0.95), ("And so,", 0.2))


class _Job:
    """Plays its frames in real time, over and over."""

    def __init__(self, frames: list[bytes], offset: int) -> None:
        self.context: dict[str, object] = {}
        self.ends = 0
        self._frames = frames
        self._offset = offset
        self._sent = 0
        self._began = time.monotonic() + FRAME_MS / 1000 * (offset % 30) / 30

    async def receive(self) -> AudioFrame:
        due = self._began + self._sent * FRAME_MS / 1000
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        pcm = self._frames[(self._offset + self._sent) % len(self._frames)]
        position = self._sent * len(pcm) // 2
        self._sent += 1
        return AudioFrame(0, 1, self._sent, 0, position, pcm)

    async def send(self, kind: type[JobMessage], **fields: Any) -> None:
        self.ends += kind is EndOfTurn


class _Given(Transcriber):
    """Hears a given text in each pause, at no cost."""

    def __init__(self) -> None:
        super().__init__(ProviderSettings(), "en")
        self._texts = cycle(TEXTS)

    async def transcribe(self, audio: AsyncIterator[bytes | Cue], emit: Emit) -> None:
        text, sentence_end = "", 0.0
        async for item in audio:
            if item is Cue.PAUSE:
                text, sentence_end = next(self._texts)
                emit(Heard(text, is_final=False, sentence_end=sentence_end))
            elif item is Cue.FINALIZE:
                emit(Heard(text, is_final=True, sentence_end=sentence_end))


def _frames() -> list[bytes]:
    speech = recordings.recording("two_cities.wav", RATE)
    size, audio = RATE * 2 * FRAME_MS // 1000, b""
    pauses = cycle(PAUSES_MS)
    for second in range(0, 42, 3):
        audio += recordings.part(speech, second, second + 3, RATE)
        audio += bytes(RATE * 2 * next(pauses) // 1000)
    return [audio[at : at + size] for at in range(0, len(audio) - size, size)]


async def _cpu_seconds(jobs: list[_Job], run: Callable[[_Job], Any], seconds: float) -> float:
    running = [asyncio.create_task(run(job)) for job in jobs]
    await asyncio.sleep(1.0)
    began = time.process_time()
    await asyncio.sleep(seconds)
    spent = time.process_time() - began
    for task in running:
        task.cancel()
    await asyncio.wait(running)
    return spent


async def _only_play(job: _Job) -> None:
    while True:
        await job.receive()


async def _measure(conversations: int, seconds: float) -> dict[str, float]:
    frames = _frames()
    voice_activity = VoiceActivity(load_silero())

    def jobs() -> list[_Job]:
        return [_Job(frames, index * 97) for index in range(conversations)]

    async def hear(job: _Job) -> None:
        await Hearing(SPEC, _Given(), voice_activity).run(job)  # type: ignore[arg-type]

    hearing = jobs()
    spent = await _cpu_seconds(hearing, hear, seconds)
    playing = await _cpu_seconds(jobs(), _only_play, seconds / 2) * 2
    return {
        "vad_core_share_per_call": (spent - playing) / seconds / conversations,
        "playing_core_share_per_call": playing / seconds / conversations,
        "conversations": conversations,
        "seconds": seconds,
        "ends_of_turn": sum(job.ends for job in hearing),
    }


def _run(conversations: int, seconds: float) -> dict[str, float]:
    return asyncio.run(_measure(conversations, seconds))


def vad_core_share_per_call(
    conversations: int = CONVERSATIONS, seconds: float = SECONDS
) -> dict[str, float]:
    """The figures, taken in a fresh process; that of this name is the share of one core."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_run, conversations, seconds).result()


if __name__ == "__main__":
    publish(
        "turns_hearing",
        "Voice activity and end of turn",
        vad_core_share_per_call(),
        {
            "vad_core_share_per_call": "of one core: everything but recognition",
            "playing_core_share_per_call": "of one core: playing the recordings, taken off",
            "ends_of_turn": "in all conversations",
        },
    )
