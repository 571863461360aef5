"""Up to where each final covers the call's audio, so that another worker can go on from there."""

from collections.abc import AsyncIterator

import pytest
from unit.stt.scribe import SPEC, Job, Scribe, hear

from parley.messages import EndOfTurn, HearingSpec, Transcription
from parley.providers import Cue, Emit, Heard, TranscriberCapabilities, TurnEnded
from parley_stt.given import GivenAudio
from parley_stt.timeline import Window

TURN = "#" * 6 + "." * 12
VOICE_MS = 6 * 32
LEAD_MS = 320 - 192
"""Of the endpointing time, what is not the pause that ends the speech."""


def spec(endpointing_ms: int) -> HearingSpec:
    return SPEC.model_copy(update={"endpointing_ms": endpointing_ms})


@pytest.mark.parametrize("begin", [0, 5 * 16_000, 12_345])
async def test_the_answer_to_finalize_leaves_the_next_onset_to_be_heard(begin: int) -> None:
    job = Job(begin)
    job.say(TURN * 2)
    await hear(job, Scribe(), turns=2)
    first = begin / 16 + VOICE_MS + 320 - LEAD_MS
    assert job.finals == [("words", first), ("words", first + 18 * 32)]


@pytest.mark.parametrize(
    ("endpointing_ms", "lead_ms"),
    [(2_000, 300), (480, 288), (100, 0)],
)
async def test_the_lead_in_is_silence_after_the_pause(endpointing_ms: int, lead_ms: int) -> None:
    job = Job()
    job.say("#" * 6 + "." * 70)
    await hear(job, Scribe(), spec=spec(endpointing_ms))
    decided = VOICE_MS + -(-endpointing_ms // 32) * 32
    assert job.finals == [("words", decided - lead_ms)]
    assert job.sent[-1] == (EndOfTurn, {"position_ms": decided})


class Cutter(Scribe):
    """Gives a final as the voice stops: of all but the last 100 ms, and says so or does not."""

    def __init__(self, says_so: bool) -> None:
        super().__init__()
        self._says_so = says_so

    async def transcribe(self, audio: AsyncIterator[bytes | Cue], emit: Emit) -> None:
        heard_ms = 0.0
        async for item in audio:
            if isinstance(item, bytes):
                heard_ms += len(item) / 32
            elif item is Cue.PAUSE:
                emit(Heard("so", is_final=False))
                emit(Heard("one", True, end_ms=heard_ms - 100 if self._says_so else None))
            elif item is Cue.FINALIZE:
                emit(Heard("two", True))


@pytest.mark.parametrize("begin", [0, 12_345])
@pytest.mark.parametrize("says_so", [True, False])
async def test_a_final_in_mid_turn_covers_what_it_says(begin: int, says_so: bool) -> None:
    job = Job(begin)
    job.say(TURN)
    await hear(job, Cutter(says_so))
    paused = begin / 16 + VOICE_MS + 96
    assert job.finals[0] == ("one", paused - 100 if says_so else paused)


class Straggler(Scribe):
    """Gives the final of the first half only when it has FINALIZE, right before the last."""

    async def transcribe(self, audio: AsyncIterator[bytes | Cue], emit: Emit) -> None:
        async for item in audio:
            if item is Cue.FINALIZE:
                emit(Heard("one", True, end_ms=96))
                emit(Heard("two", True))


async def test_a_late_final_of_the_first_half_does_not_end_the_turn() -> None:
    job = Job()
    job.say(TURN)
    await hear(job, Straggler())
    assert job.finals == [("one", 96), ("two", VOICE_MS + 320 - LEAD_MS)]
    assert job.kinds[-3:] == [Transcription, Transcription, EndOfTurn]


class Exact(Scribe):
    """Says of the answer to FINALIZE where it ends, too."""

    async def transcribe(self, audio: AsyncIterator[bytes | Cue], emit: Emit) -> None:
        heard_ms = 0.0
        async for item in audio:
            if isinstance(item, bytes):
                heard_ms += len(item) / 32
            elif item is Cue.FINALIZE:
                emit(Heard("words", True, end_ms=heard_ms))
                emit(Heard("again", True, end_ms=10.0))
                emit(Heard("beyond", True, end_ms=1e9))


async def test_positions_never_go_back_nor_beyond_what_was_given() -> None:
    job = Job(16_000)
    job.say(TURN)
    await hear(job, Exact())
    assert job.kinds.count(EndOfTurn) == 1
    assert [position for _, position in job.finals] == [1000 + VOICE_MS + 320] * 3


class TurnDetector(Scribe):
    capabilities = TranscriberCapabilities(detects_end_of_turn=True)

    async def transcribe(self, audio: AsyncIterator[bytes | Cue], emit: Emit) -> None:
        async for item in audio:
            if item is Cue.PAUSE:
                emit(Heard("words", True))
                emit(TurnEnded())


async def test_a_final_that_nobody_asks_for_covers_all_that_was_given() -> None:
    job = Job(16_000)
    job.say(TURN)
    await hear(job, TurnDetector())
    assert job.finals == [("words", 1000 + VOICE_MS + 96)]


async def test_positions_hold_over_a_long_gap() -> None:
    job = Job()
    job.say(TURN)
    job.position += 60 * 16_000
    second = job.position / 16
    job.say(TURN)
    await hear(job, Scribe(), turns=2)
    answer = VOICE_MS + 320 - LEAD_MS
    (_, before), (_, after) = job.finals
    assert before == answer
    assert 0 <= after - (second + answer) < 32, "its windows begin anywhere"


def test_a_place_before_a_gap_stays_before_it() -> None:
    given = GivenAudio()
    for position in (1000, 1032, 9000, 9032):
        given.append(Window(position, b""))
    assert given.ms == 128
    places = [0, 1, 63, 64, 65, 128]
    assert [given.position_ms(ms) for ms in places] == [1000, 1001, 1063, 1064, 9001, 9064]


def test_before_any_audio_nothing_is_covered() -> None:
    assert GivenAudio().position_ms(0) == 0
