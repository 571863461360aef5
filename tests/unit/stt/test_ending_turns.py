"""When a hearing tells that a turn is over, or probably is: who decides, and what it waits for."""

from collections.abc import AsyncIterator

from unit.stt.scribe import SPEC, Job, Scribe, hear, hearing, settle, until

from parley.messages import (
    EagerEndOfTurn,
    EndOfTurn,
    SpeechEnded,
    SpeechStarted,
    Transcription,
    TurnResumed,
)
from parley.providers import Cue, Emit, Heard, TranscriberCapabilities, TurnEnded, TurnProbablyEnded
from parley.providers import TurnResumed as Resumed

PATIENT = SPEC.model_copy(update={"endpointing_max_ms": 1600})
VOICE_MS = 6 * 32
STARTED, PAUSE, FINALIZE = Cue.SPEECH_STARTED, Cue.PAUSE, Cue.FINALIZE


class Writer(Scribe):
    """Writes at each pause the next of its texts."""

    capabilities = TranscriberCapabilities(punctuates=True)

    def __init__(self, *texts: str) -> None:
        super().__init__()
        self.texts = list(texts)

    async def transcribe(self, audio: AsyncIterator[bytes | Cue], emit: Emit) -> None:
        text = ""
        async for item in audio:
            self.got.append(item)
            if item is PAUSE and self.texts:
                text = self.texts.pop(0)
                emit(Heard(text, is_final=False))
            if item is FINALIZE:
                emit(Heard(text, is_final=True))


async def slowly(job: Job, picture: str, scribe: Scribe, turns: int = 1) -> None:
    """Hear the picture in real time: what is written is known before the next window."""
    async with hearing(job, scribe, PATIENT) as running:
        for level in picture:
            job.say(level)
            await settle()
        await until(lambda: job.kinds.count(EndOfTurn) == turns, running)


def end_ms(job: Job) -> float:
    return float(job.sent[-1][1]["position_ms"])


async def test_a_complete_turn_ends_soon_and_is_told_early() -> None:
    job = Job()
    await slowly(job, "#" * 6 + "." * 60, Writer("How are you?"))
    assert job.kinds == [
        SpeechStarted, Transcription, SpeechEnded, EagerEndOfTurn, Transcription, EndOfTurn
    ]  # fmt: skip
    assert end_ms(job) == VOICE_MS + 320


async def test_half_a_turn_is_waited_for_and_expected_to_end_shortly_before_it_does() -> None:
    job = Job()
    await slowly(job, "#" * 6 + "." * 18, Writer("My name is"), turns=0)
    assert EagerEndOfTurn not in job.kinds
    job = Job()
    await slowly(job, "#" * 6 + "." * 60, Writer("My name is"))
    assert EagerEndOfTurn in job.kinds
    assert end_ms(job) == VOICE_MS + 1600


async def test_a_turn_of_which_nothing_is_known_is_waited_for_less() -> None:
    job = Job()
    await slowly(job, "#" * 6 + "." * 60, Writer())
    assert end_ms(job) == VOICE_MS + 960


async def test_pauses_in_a_sentence_do_not_end_it() -> None:
    job, writer = Job(), Writer("I would like to", "I would like to, um,", "I would like to fly.")
    await slowly(job, ("#" * 30 + "." * 15) * 2 + "#" * 30 + "." * 20, writer)
    assert job.kinds.count(EndOfTurn) == job.kinds.count(EagerEndOfTurn) == 1
    assert job.finals[-1][0] == "I would like to fly."
    assert end_ms(job) == (2 * 45 + 30) * 32 + 320


class Late(Scribe):
    """Writes when it is told to."""

    capabilities = TranscriberCapabilities(punctuates=True)

    async def transcribe(self, audio: AsyncIterator[bytes | Cue], emit: Emit) -> None:
        self.emit = emit
        async for item in audio:
            if item is FINALIZE:
                emit(Heard("words", is_final=True))


async def test_text_that_is_late_ends_the_turn_as_soon_as_it_is_there() -> None:
    job, late = Job(), Late()
    async with hearing(job, late, PATIENT) as running:
        job.say("#" * 6 + "." * 20)
        await until(lambda: SpeechEnded in job.kinds, running)
        await settle()
        assert EndOfTurn not in job.kinds
        late.emit(Heard("How are you?", is_final=False))
        job.say(".")
        await until(lambda: EndOfTurn in job.kinds, running)
    assert end_ms(job) == VOICE_MS + 21 * 32


async def test_a_transcriber_may_say_that_the_turn_is_probably_over_or_not() -> None:
    job, late = Job(), Late()
    async with hearing(job, late, PATIENT) as running:
        job.say("#" * 6 + "." * 8)
        await until(lambda: SpeechEnded in job.kinds, running)
        late.emit(TurnProbablyEnded())
        late.emit(Resumed())
        job.say("." * 42)
        await until(lambda: EndOfTurn in job.kinds, running)
    assert job.kinds[2:] == [EagerEndOfTurn, TurnResumed, Transcription, EndOfTurn]
    assert end_ms(job) == VOICE_MS + 1600


async def test_a_short_silence_is_looked_at_and_no_pause() -> None:
    job, scribe = Job(), Scribe()
    job.say("####...####" + "." * 12)
    await hear(job, scribe)
    assert job.kinds == [SpeechStarted, SpeechEnded, Transcription, EndOfTurn]
    assert scribe.cues == [STARTED, PAUSE, STARTED, PAUSE, FINALIZE]


class Detector(Scribe):
    """Detects the end of turn; says so only when it is told to."""

    capabilities = TranscriberCapabilities(detects_end_of_turn=True)

    def __init__(self, *answer: Heard | TurnEnded) -> None:
        super().__init__()
        self.answer = answer

    async def transcribe(self, audio: AsyncIterator[bytes | Cue], emit: Emit) -> None:
        self.emit = emit
        async for item in audio:
            self.got.append(item)
            if item is FINALIZE:
                for result in self.answer:
                    emit(result)


async def test_a_detector_that_forgets_the_turn_is_asked_for_it() -> None:
    job, detector = Job(), Detector(Heard("words", is_final=True))
    job.say("#" * 6 + "." * 120)
    await hear(job, detector, spec=PATIENT)
    assert job.kinds == [SpeechStarted, SpeechEnded, Transcription, EndOfTurn]
    assert end_ms(job) == VOICE_MS + 3616, "2 s after the longest silence, in whole windows"


async def test_a_detector_that_remembers_it_then_ends_it_once() -> None:
    job, detector = Job(), Detector(TurnEnded(), Heard("words", is_final=True), TurnEnded())
    job.say("#" * 6 + "." * 120)
    async with hearing(job, detector, PATIENT) as running:
        await until(lambda: FINALIZE in detector.got, running)
        await settle()
    assert job.kinds == [SpeechStarted, SpeechEnded, Transcription, EndOfTurn]


async def test_a_turn_that_a_detector_ended_is_not_asked_for() -> None:
    job, detector = Job(), Detector()
    async with hearing(job, detector, PATIENT) as running:
        job.say("#" * 6 + "." * 8)
        await until(lambda: SpeechEnded in job.kinds, running)
        detector.emit(Heard("words", is_final=True))
        detector.emit(TurnProbablyEnded())
        detector.emit(TurnEnded())
        job.say("." * 200)
        await until(lambda: len(detector.got) == 6 + 208 + 2, running)
        await settle()
    assert job.kinds[2:] == [Transcription, EagerEndOfTurn, EndOfTurn]
    assert FINALIZE not in detector.got
