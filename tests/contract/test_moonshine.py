"""The embedded transcriber, its real model and real voice activity, on recordings of people."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest
import soundfile
import soxr
from whisper_normalizer.english import EnglishTextNormalizer

from parley.audio import HEARING_RATE, from_float
from parley.frames import AudioFrame
from parley.messages import (
    EndOfTurn,
    HearingSpec,
    JobMessage,
    Mute,
    SpeechEnded,
    SpeechProgress,
    SpeechStarted,
    Transcription,
)
from parley.providers import Cue, Emit, Heard, ProviderError, TurnEnded
from parley.weights import WeightFile
from parley_stt.engines import moonshine_onnx
from parley_stt.engines.silero import load_silero
from parley_stt.hearing import Hearing
from parley_stt.providers.moonshine import MoonshineSettings, MoonshineTranscriber
from parley_stt.voice_activity import VoiceActivity

TWO_CITIES = """
It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of
foolishness, it was the epoch of belief, it was the epoch of incredulity, it was the season of
Light, it was the season of Darkness, it was the spring of hope, it was the winter of despair, we
had everything before us, we had nothing before us, we were all going direct to Heaven, we were
all going direct the other way -- in short, the period was so far like the present period, that
some of its noisiest authorities insisted on its being received, for good or for evil, in the
superlative degree of comparison only.
"""
BECKETT = "Ever tried. Ever failed. No matter. Try again. Fail again. Fail better."
MAX_WER = 0.15
FRAME_MS = 20
TAIL_MS = 1_500
SPEED = 5
"""Times real time: the recogniser keeps up, and partials have a moment of rest."""


def recording(name: str) -> Iterator[bytes]:
    """Frames of 20 ms at 16 kHz, and a while of silence."""
    spec = find_spec("moonshine_voice")
    assert spec is not None and spec.origin is not None
    samples, rate = soundfile.read(Path(spec.origin).parent / "assets" / name, dtype="float32")
    samples = soxr.resample(samples, rate, HEARING_RATE)
    pcm = from_float(samples) + bytes(HEARING_RATE * TAIL_MS // 1000 * 2)
    size = HEARING_RATE * FRAME_MS // 1000 * 2
    for begin in range(0, len(pcm), size):
        yield pcm[begin : begin + size]


class Job:
    """Gives the hearing a recording; is over a while after its end."""

    def __init__(self, name: str, muted: bool = False) -> None:
        self.context: dict[str, object] = {}
        self.sent: list[tuple[type[JobMessage], dict[str, Any]]] = []
        self.over = asyncio.Event()
        self._items = self._script(name, muted)

    async def _script(self, name: str, muted: bool) -> AsyncIterator[AudioFrame | Mute]:
        if muted:
            yield Mute(muted=True)
        began, position = time.monotonic(), 0
        for seq, pcm in enumerate(recording(name)):
            due = began + position / HEARING_RATE / SPEED
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            yield AudioFrame(0, 1, seq, 0, position, pcm)
            position += len(pcm) // 2
        await asyncio.sleep(0.5)
        self.over.set()
        await asyncio.Event().wait()

    async def receive(self) -> AudioFrame | Mute:
        return await anext(self._items)

    async def send(self, kind: type[JobMessage], **fields: Any) -> None:
        self.sent.append((kind, fields))

    def of(self, kind: type[JobMessage]) -> list[dict[str, Any]]:
        return [fields for sent, fields in self.sent if sent is kind]

    @property
    def text(self) -> str:
        finals = [heard["message"] for heard in self.of(Transcription) if heard["is_final"]]
        return " ".join(filter(None, finals))


async def hear(name: str, endpointing_ms: int = 700, muted: bool = False) -> Job:
    await MoonshineTranscriber.warm_up()
    spec = HearingSpec(
        provider="moonshine", sample_rate=HEARING_RATE, endpointing_ms=endpointing_ms
    )
    transcriber = MoonshineTranscriber(MoonshineSettings(), spec.language)
    job = Job(name, muted)
    hearing = Hearing(spec, transcriber, VoiceActivity(load_silero()))
    running = asyncio.create_task(hearing.run(job))  # type: ignore[arg-type]
    over = asyncio.create_task(job.over.wait())
    await asyncio.wait([running, over], return_when=asyncio.FIRST_COMPLETED)
    assert over.done(), running.exception()
    running.cancel()
    await asyncio.wait([running])
    return job


def error_rate(said: str, heard: str) -> float:
    normalize = EnglishTextNormalizer()
    return float(jiwer.wer(normalize(said), normalize(heard)))


@pytest.mark.parametrize(
    ("name", "said", "endpointing_ms"),
    # Beckett's sentences stand 0.8 s apart; one by one, two words are too little to go by.
    [("two_cities.wav", TWO_CITIES, 700), ("beckett.wav", BECKETT, 1500)],
)
async def test_words(name: str, said: str, endpointing_ms: int) -> None:
    job = await hear(name, endpointing_ms)
    rate = error_rate(said, job.text)
    print(f"\n{name}: WER {rate:.1%}: {job.text}")
    assert rate <= MAX_WER


async def test_a_turn_is_told_in_order() -> None:
    job = await hear("beckett.wav")
    kinds = [kind for kind, _ in job.sent]
    assert kinds[0] is SpeechStarted
    assert kinds[-1] is EndOfTurn
    for index, kind in enumerate(kinds):
        if kind is EndOfTurn:
            assert kinds[index - 1] is Transcription
            assert job.sent[index - 1][1]["is_final"]
    partial = next(index for index, kind in enumerate(kinds) if kind is Transcription)
    assert not job.sent[partial][1]["is_final"]
    assert SpeechProgress in kinds and SpeechEnded in kinds
    assert all(0 <= heard["confidence"] <= 1 for heard in job.of(Transcription))


async def test_while_muted_nothing_is_heard() -> None:
    job = await hear("beckett.wav", muted=True)
    assert job.sent == []


async def transcribe(script: list[bytes | Cue]) -> list[Heard]:
    heard: list[Heard] = []

    async def source() -> AsyncIterator[bytes | Cue]:
        for item in script:
            yield item

    def emit(result: Heard | TurnEnded) -> None:
        assert isinstance(result, Heard)
        heard.append(result)

    keep: Emit = emit
    await MoonshineTranscriber(MoonshineSettings(), "en").transcribe(source(), keep)
    return heard


async def test_faster_than_real_time() -> None:
    frames = list(recording("beckett.wav"))
    await MoonshineTranscriber.warm_up()
    began = time.process_time()
    heard = await transcribe([Cue.SPEECH_STARTED, *frames, Cue.FINALIZE])
    assert heard[-1].is_final
    assert error_rate(BECKETT, heard[-1].message) <= MAX_WER
    assert time.process_time() - began < len(frames) * FRAME_MS / 1000


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.1])
async def test_what_is_no_speech_gives_an_empty_final(noise: float) -> None:
    samples = np.random.default_rng(1).normal(0, noise, 2 * HEARING_RATE)
    heard = await transcribe([Cue.SPEECH_STARTED, from_float(samples), Cue.PAUSE, Cue.FINALIZE])
    assert [result for result in heard if result.is_final] == [heard[-1]]
    assert heard[-1].message == ""


def test_a_wrong_hash_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    right = moonshine_onnx.ENCODER
    wrong = WeightFile(right.package, right.requirement, right.path, "0" * 64)
    monkeypatch.setattr(moonshine_onnx, "ENCODER", wrong)
    with pytest.raises(ProviderError, match=r"sha256.*moonshine-voice==0\.1\.0"):
        moonshine_onnx.Moonshine()


async def test_voice_activity_is_the_same_for_many_as_for_one() -> None:
    pcm = b"".join(recording("beckett.wav"))
    windows = [pcm[begin : begin + 1024] for begin in range(0, len(pcm) - 1024, 1024)][:120]
    streams = [windows, windows[20:] + windows[:20], windows[::-1]]
    infer = load_silero()

    async def alone(stream: list[bytes]) -> list[float]:
        with VoiceActivity(infer).listener() as listener:
            return [await listener.probability(window) for window in stream]

    expected = [await alone(stream) for stream in streams]
    shared = VoiceActivity(infer)

    async def together(stream: list[bytes]) -> list[float]:
        with shared.listener() as listener:
            return [await listener.probability(window) for window in stream]

    found = await asyncio.gather(*map(together, streams))
    assert np.allclose(found, expected, atol=1e-4)
    assert max(expected[0]) > 0.9
