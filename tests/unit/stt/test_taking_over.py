"""Hearing that goes on where another worker's ended: much audio at once, perhaps in mid-turn."""

from collections.abc import AsyncIterator

from unit.stt.scribe import (
    SPEC,
    Job,
    Scribe,
    VoiceActivity,
    audio_of,
    hear,
    hearing,
    settle,
    until,
)

from parley.messages import EndOfTurn, SpeechEnded, SpeechStarted, Transcription
from parley.providers import Cue, Emit, TranscriberCapabilities
from parley_stt.feed import ITEMS

OPEN = SPEC.model_copy(update={"turn_open": True})
STARTED, PAUSE, FINALIZE = Cue.SPEECH_STARTED, Cue.PAUSE, Cue.FINALIZE


async def test_a_turn_that_is_open_ends_after_silence() -> None:
    job, scribe = Job(16_000), Scribe()
    job.say("." * 12)
    await hear(job, scribe, spec=OPEN)
    assert job.kinds == [Transcription, EndOfTurn]
    assert job.sent[-1] == (EndOfTurn, {"position_ms": 1000 + 320})
    assert scribe.cues == [FINALIZE]


async def test_a_turn_that_is_open_goes_on_with_speech() -> None:
    job, scribe = Job(), Scribe()
    job.say("." * 8 + "#" * 6 + "." * 40)
    await hear(job, scribe, spec=OPEN)
    assert job.kinds == [SpeechStarted, SpeechEnded, Transcription, EndOfTurn]
    assert scribe.cues == [STARTED, PAUSE, FINALIZE]


class TurnDetector(Scribe):
    capabilities = TranscriberCapabilities(detects_end_of_turn=True)

    async def transcribe(self, audio: AsyncIterator[bytes | Cue], emit: Emit) -> None:
        async for item in audio:
            self.got.append(item)


async def test_a_turn_whose_words_are_elsewhere_ends_for_a_turn_detector_too() -> None:
    job = Job()
    job.say("." * 12)
    await hear(job, TurnDetector(), spec=OPEN)
    assert job.sent == [(EndOfTurn, {"position_ms": 320})]


async def test_a_turn_detector_ends_the_turns_that_it_hears() -> None:
    job, scribe = Job(), TurnDetector()
    job.say("###" + "." * 60)
    async with hearing(job, scribe, OPEN) as running:
        await until(lambda: len(scribe.got) == 63 + 2, running)
        await settle()
    assert job.kinds == [SpeechStarted, SpeechEnded]
    assert scribe.cues == [STARTED, PAUSE]


def burst(job: Job, pcm: bytes) -> None:
    """Hear all of it at once, in frames of 200 ms."""
    for begin in range(0, len(pcm), 6400):
        job.put_audio(pcm[begin : begin + 6400])


async def test_what_comes_at_once_is_heard_whole_and_in_order() -> None:
    turns = 17
    said = audio_of(("." * 5 + "#" * 40 + "." * 10) * turns)
    job, scribe = Job(), Scribe()
    burst(job, said)
    await hear(job, scribe, turns)
    assert b"".join(item for item in scribe.got if isinstance(item, bytes)) == said
    assert scribe.cues == [STARTED, PAUSE, FINALIZE] * turns
    assert [fields["position_ms"] for kind, fields in job.sent if kind is EndOfTurn] == [
        (index * 55 + 45) * 32 + 320 for index in range(turns)
    ]


class Diarist(Scribe):
    """Notes with each item how much voice activity was through with."""

    def __init__(self, voice_activity: VoiceActivity) -> None:
        super().__init__()
        self._voice_activity = voice_activity
        self.notes: list[int] = []

    async def transcribe(self, audio: AsyncIterator[bytes | Cue], emit: Emit) -> None:
        async for item in audio:
            self.got.append(item)
            self.notes.append(self._voice_activity.windows)


async def test_the_transcriber_gets_a_backlog_in_one_go() -> None:
    job, voice_activity = Job(), VoiceActivity()
    diarist = Diarist(voice_activity)
    burst(job, audio_of("#" * 900))
    async with hearing(job, diarist, voice_activity=voice_activity) as running:
        await until(lambda: len(diarist.got) > 900, running)
    assert diarist.notes[0] < 900, "the first may go as soon as it is there"
    assert set(diarist.notes[1:]) == {900}


async def test_in_real_time_the_transcriber_waits_for_nothing() -> None:
    job, voice_activity = Job(), VoiceActivity()
    diarist = Diarist(voice_activity)
    async with hearing(job, diarist, voice_activity=voice_activity):
        for _ in range(20):
            burst(job, audio_of("#" * 6))
            await settle()
    chunks = [
        note for note, item in zip(diarist.notes, diarist.got, strict=True) if item != STARTED
    ]
    assert chunks == [6 * (index // 6 + 1) for index in range(120)]


async def test_more_than_fits_is_given_in_parts() -> None:
    job, voice_activity = Job(), VoiceActivity()
    diarist = Diarist(voice_activity)
    said = audio_of("#" * 2 * ITEMS)
    burst(job, said)
    async with hearing(job, diarist, voice_activity=voice_activity) as running:
        await until(lambda: len(diarist.got) > 2 * ITEMS, running)
    assert b"".join(item for item in diarist.got if isinstance(item, bytes)) == said
    assert diarist.notes[ITEMS // 2] < 2 * ITEMS
