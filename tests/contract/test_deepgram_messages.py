"""What Deepgram's messages mean, handed to the streams one by one: no connection, no time."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from deepgram.core.unchecked_base_model import construct_type
from deepgram.listen.v1.types import ListenV1Results
from deepgram.listen.v2.types import ListenV2TurnInfo

from parley.accounts import Account, Limits
from parley.audio import HEARING_RATE, bytes_for
from parley.providers import Cue, Heard, TurnEnded, TurnProbablyEnded, TurnResumed
from parley_stt.clouds.deepgram_wire import NotUnderstoodError, segment_of, turn_of
from parley_stt.providers.deepgram_flux import FluxStream
from parley_stt.providers.deepgram_nova import NovaStream
from support.cloud_call import Call

Result = Heard | TurnProbablyEnded | TurnResumed | TurnEnded
SECOND = bytes(bytes_for(1000, HEARING_RATE))


def nova(
    text: str, start: float, end: float, *, final: bool = False, answer: bool = False
) -> ListenV1Results:
    made: ListenV1Results = construct_type(
        type_=ListenV1Results,
        object_={
            "type": "Results",
            "channel_index": [0, 1],
            "start": start,
            "duration": end - start,
            "is_final": final,
            "from_finalize": answer,
            "channel": {"alternatives": [{"transcript": text, "confidence": 0.8, "words": []}]},
        },
    )
    return made


def flux(event: str, text: str, end: float) -> ListenV2TurnInfo:
    words = text.split()
    ends = [end * (index + 1) / len(words) for index in range(len(words))]
    made: ListenV2TurnInfo = construct_type(
        type_=ListenV2TurnInfo,
        object_={
            "type": "TurnInfo",
            "event": event,
            "audio_window_end": end,
            "transcript": text,
            "words": [
                {"word": word, "confidence": 0.5, "end": at}
                for word, at in zip(words, ends, strict=True)
            ],
        },
    )
    return made


class Hears:
    """A stream that is handed its messages: no connection, no time."""

    def __init__(self, kind: type[NovaStream] | type[FluxStream], seconds: float) -> None:
        def connect() -> Any:
            raise AssertionError("nobody connects here")

        self.results: list[Result] = []
        account = Account("Deepgram", Limits())
        self.stream = kind(account, connect, Call().audio(), self.results.append)
        self.stream.replay.append(Cue.SPEECH_STARTED)
        for _ in range(int(seconds)):
            self.stream.replay.append(SECOND)
            self.stream.replay.take()

    async def finalize(self) -> None:
        self.stream.append(Cue.FINALIZE)
        assert await self.stream.take() is Cue.FINALIZE

    def take(self, messages: Sequence[object]) -> list[Result]:
        for message in messages:
            self.stream.hear(message)
        return self.results


async def test_novas_results_are_told_as_partials_and_finals() -> None:
    told = Hears(NovaStream, 9).take(
        [
            nova("", 0, 1),
            nova("hello", 0, 2),
            nova("hello there", 0, 3, final=True),
            nova("", 3, 4),
            nova("eh", 3, 5),
            nova("", 3, 6, final=True),
            nova("", 6, 7, final=True),
        ]
    )
    # What is final does not come back, and silence is not told of.
    assert told == [
        Heard("hello", False, 0.8, end_ms=2000),
        Heard("hello there", True, 0.8, end_ms=3000),
        Heard("eh", False, 0.8, end_ms=5000),
        Heard("", False, 0.8, end_ms=6000),
    ]


async def test_a_final_past_the_finalize_answers_it() -> None:
    """Whether Deepgram says that it does or not: nothing before it can be missing."""
    hears = Hears(NovaStream, 3)
    await hears.finalize()
    assert hears.take([nova("yes", 0, 3, final=True)]) == [Heard("yes", True, 0.8)]
    assert hears.stream.replay.owes == 0


async def test_flux_turns_are_told_with_what_is_likely_and_what_is_not() -> None:
    told = Hears(FluxStream, 9).take(
        [
            flux("Update", "", 0.2),
            flux("StartOfTurn", "I", 1),
            flux("Update", "I", 1.2),
            flux("EagerEndOfTurn", "I want", 2),
            flux("TurnResumed", "I want", 2.2),
            flux("Update", "I want tea", 3),
            flux("EagerEndOfTurn", "I want tea.", 3.5),
            flux("EndOfTurn", "I want tea.", 4),
        ]
    )
    assert told == [
        Heard("I", False, 0.5, end_ms=1000),
        Heard("I want", False, 0.5, end_ms=2000),
        TurnProbablyEnded(),
        TurnResumed(),
        Heard("I want tea", False, 0.5, end_ms=3000),
        Heard("I want tea.", False, 0.5, end_ms=3500),
        TurnProbablyEnded(),
        Heard("I want tea.", True, 0.5, end_ms=4000),
        TurnEnded(),
    ]


async def test_words_of_a_long_turn_survive_a_break_though_their_audio_is_gone() -> None:
    """The audio of the last 30 s is kept: of ten words in 50 s, the first four are older."""
    hears = Hears(FluxStream, 50)
    hears.take([flux("EagerEndOfTurn", "a b c d e f g h i j", 50)])
    hears.stream.broke()
    assert hears.results[2:] == [TurnResumed(), Heard("a b c d", True, end_ms=20_000)]
    hears.stream.replay.rewind()
    told = hears.take([flux("EndOfTurn", "e f g h i j", 30)])
    assert told[-2:] == [Heard("e f g h i j", True, 0.5, end_ms=50_000), TurnEnded()]


@pytest.mark.parametrize(
    ("kind", "partial", "late"),
    [
        (NovaStream, nova("take this", 0, 3), nova("take this", 0, 3, final=True, answer=True)),
        (FluxStream, flux("Update", "take this", 3), flux("EndOfTurn", "take this", 3.5)),
    ],
)
async def test_an_answer_that_comes_too_late_is_not_told_twice(
    kind: type[NovaStream] | type[FluxStream], partial: object, late: object
) -> None:
    hears = Hears(kind, 3)
    await hears.finalize()
    hears.take([partial])
    hears.stream.gave_up()
    hears.stream.replay.answer()
    told = hears.take([late])
    assert [one for one in told if isinstance(one, Heard) and one.is_final] == []


@pytest.mark.parametrize(
    "broken",
    [
        {"channel": None},
        {"channel": {"alternatives": []}},
        {"start": None},
        {"duration": None},
    ],
)
def test_results_that_lack_something_are_not_understood(broken: dict[str, Any]) -> None:
    whole = json.loads(nova("hello", 0, 1).model_dump_json())
    with pytest.raises(NotUnderstoodError):
        segment_of(construct_type(type_=ListenV1Results, object_=whole | broken))


@pytest.mark.parametrize("broken", [{"words": None}, {"transcript": None}, {"words": [None]}])
def test_turns_that_lack_something_are_not_understood(broken: dict[str, Any]) -> None:
    whole = json.loads(flux("Update", "hello", 1).model_dump_json())
    with pytest.raises(NotUnderstoodError):
        turn_of(construct_type(type_=ListenV2TurnInfo, object_=whole | broken))
