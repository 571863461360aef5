"""A call heard over connections that break off, are slow, and say things twice."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from parley.audio import HEARING_RATE, bytes_for
from parley.messages import Retry
from parley.providers import Cue, Heard, ProviderError
from parley.statuses import broken_off, error_of
from parley_stt.clouds import owed, replay
from parley_stt.clouds.connections import Connections
from support.cloud_call import Call

WHO = "the provider"
SECOND = bytes(bytes_for(1_000, HEARING_RATE))
Behaviour = Callable[["Hearing"], Awaitable[None]]


class Hearing(Connections):
    """Each connection behaves as it is told; the last one's behaviour holds for all others."""

    def __init__(self, call: Call, *behaviours: Behaviour) -> None:
        super().__init__(WHO, call.audio(), call.emit)
        self.opened = 0
        self.given_up = 0
        self.is_deaf = False
        self.told_all = False
        self.idle: float | None = None
        self._behaviours = behaviours

    @property
    def idle_seconds(self) -> float | None:
        return self.idle

    @property
    def is_all(self) -> bool:
        return self.told_all

    @property
    def may_be_all(self) -> bool:
        return not self.is_deaf

    def gave_up(self) -> None:
        self.given_up += 1

    def broke(self) -> None:
        self.told_all = False

    async def connection(self) -> None:
        behaviour = self._behaviours[min(self.opened, len(self._behaviours) - 1)]
        self.opened += 1
        await behaviour(self)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owed, "NOTHING_LEFT_SECONDS", 0.02)
    monkeypatch.setattr(owed, "ANSWER_SECONDS", 0.02)
    monkeypatch.setattr(owed, "SILENT_SECONDS", 0.02)
    monkeypatch.setattr(owed, "UNSENT_SECONDS", 0.01)
    monkeypatch.setattr(replay, "FIRST_WAIT_SECONDS", 0.001)


async def hear(*behaviours: Behaviour, cues: list[bytes | Cue]) -> tuple[Hearing, Call]:
    """The call with these cues, heard to the answer of its last FINALIZE."""
    call = Call()
    hearing = Hearing(call, *behaviours)
    asked = cues.count(Cue.FINALIZE)
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(hearing.run())
        for item in cues:
            call.cue(item) if isinstance(item, Cue) else await call.say(item, 1e6)
        await call.until(lambda call: len([f for f in call.finals if f.end_ms is None]) >= asked)
        running.cancel()
    return hearing, call


async def answers(hearing: Hearing) -> None:
    """Hears three words in each second, and answers what is asked."""
    while (item := await hearing.take()) is not None:
        if isinstance(item, bytes):
            hearing.give_partial("one two three", end_ms=hearing.replay.heard_ms)
        else:
            hearing.give_final(hearing.partial.message, 0, answers=True)


async def never_answers(hearing: Hearing) -> None:
    while (item := await hearing.take()) is not None:
        if isinstance(item, bytes):
            hearing.give_partial("one two")


async def says_nothing(hearing: Hearing) -> None:
    while await hearing.take() is not None:
        pass


async def breaks_off(hearing: Hearing) -> None:
    await hearing.take()
    raise broken_off(WHO)


def broken_off_after_a_final(end_ms: float) -> Behaviour:
    async def behave(hearing: Hearing) -> None:
        sent = 0
        while sent < len(SECOND):
            sent += len(await hearing.take() or b"")  # type: ignore[arg-type]
        hearing.give_final("one", end_ms, answers=False)
        raise broken_off(WHO)

    return behave


async def test_what_is_asked_is_answered() -> None:
    hearing, call = await hear(answers, cues=[SECOND, Cue.FINALIZE, SECOND, Cue.FINALIZE])
    assert [final.message for final in call.finals] == ["one two three"] * 2
    assert (hearing.opened, hearing.given_up) == (1, 0)


async def test_who_does_not_answer_is_answered_for() -> None:
    hearing, call = await hear(never_answers, cues=[SECOND, Cue.FINALIZE])
    assert call.finals == [Heard("one two", is_final=True)]
    assert hearing.given_up == 1


async def test_silence_is_an_answer_where_nothing_was_heard() -> None:
    _, call = await hear(says_nothing, cues=[SECOND, Cue.FINALIZE])
    assert call.emitted == [Heard("", is_final=True)]


async def test_who_hears_and_says_nothing_fails() -> None:
    async def is_deaf(hearing: Hearing) -> None:
        hearing.is_deaf = True
        await says_nothing(hearing)

    call = Call()
    call.cue(Cue.FINALIZE)
    with pytest.raises(ProviderError, match="in time") as failed:
        await Hearing(call, is_deaf).run()
    assert failed.value.retry is Retry.NOW


async def test_what_is_left_is_sent_before_there_is_nothing() -> None:
    got: list[bytes | Cue | None] = []

    async def waits(hearing: Hearing) -> None:
        hearing.idle = 0.001
        got.extend([await hearing.take(at_least=4), await hearing.take(at_least=4)])

    call = Call()
    await call.say(b"ab", 1e6)
    await Hearing(call, waits).run()
    assert got == [b"ab", b""]


async def test_all_is_over_only_when_all_is_answered() -> None:
    call = Call()
    await call.say(SECOND, 1e6)
    call.cue(Cue.FINALIZE)
    call.end()
    await Hearing(call, never_answers).run()
    assert call.finals == [Heard("one two", is_final=True)]


async def test_a_partial_that_comes_to_nothing_is_taken_back() -> None:
    async def thinks_again(hearing: Hearing) -> None:
        hearing.give_partial("", end_ms=100)
        hearing.give_partial("eh", end_ms=200)
        hearing.give_final("", 300, answers=False)
        hearing.give_final("", 400, answers=False)

    call = Call()
    await Hearing(call, thinks_again).run()
    assert call.emitted == [
        Heard("eh", is_final=False, end_ms=200),
        Heard("", is_final=False, end_ms=300),
    ]


async def test_what_changes_while_an_answer_is_waited_for_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(owed, "SILENT_SECONDS", 60.0)

    async def hears_in_the_end(hearing: Hearing) -> None:
        hearing.is_deaf = True
        assert await hearing.take() is Cue.FINALIZE
        await asyncio.sleep(0)  # now the answer is waited for
        hearing.is_deaf = False
        hearing.changed()
        await asyncio.Event().wait()

    _, call = await hear(hears_in_the_end, cues=[Cue.FINALIZE])
    assert call.emitted == [Heard("", is_final=True)]


async def has_told_all(hearing: Hearing) -> None:
    hearing.is_deaf = hearing.told_all = True
    assert await hearing.take() is Cue.FINALIZE


async def test_who_has_told_all_need_not_answer() -> None:
    async def behave(hearing: Hearing) -> None:
        await has_told_all(hearing)
        await asyncio.Event().wait()

    _, call = await hear(behave, cues=[Cue.FINALIZE])
    assert call.emitted == [Heard("", is_final=True)]


async def test_what_was_told_before_a_break_is_to_be_told_anew() -> None:
    async def behave(hearing: Hearing) -> None:
        await has_told_all(hearing)
        raise broken_off(WHO)

    call = Call()
    call.cue(Cue.FINALIZE)
    with pytest.raises(ProviderError, match="in time"):
        async with asyncio.timeout(5):
            await Hearing(call, behave, says_nothing).run()
    assert call.emitted == []


async def test_the_next_connection_gets_what_is_not_final() -> None:
    got: list[int] = []

    async def listens(hearing: Hearing) -> None:
        while isinstance(item := await hearing.take(), bytes):
            got.append(len(item))
        hearing.give_final("two three", 0, answers=True)
        await asyncio.Event().wait()

    first = broken_off_after_a_final(600.0)
    _, call = await hear(first, listens, cues=[Cue.SPEECH_STARTED, SECOND, Cue.FINALIZE])
    assert call.text == "one two three"
    assert sum(got) == bytes_for(400, HEARING_RATE)


async def test_who_breaks_off_again_and_again_is_given_up() -> None:
    call = Call()
    await call.say(SECOND, 1e6)
    hearing = Hearing(call, breaks_off)
    with pytest.raises(ProviderError, match="broke off"):
        await hearing.run()
    assert hearing.opened == 1 + replay.TRIES


async def test_who_refuses_is_not_asked_again() -> None:
    async def refuses(_: Hearing) -> None:
        raise error_of(401, WHO)

    hearing = Hearing(Call(), refuses)
    with pytest.raises(ProviderError, match="401"):
        await hearing.run()
    assert hearing.opened == 1


@pytest.mark.parametrize(
    ("cues", "end_ms", "is_answer"),
    [
        ([SECOND, Cue.PAUSE, SECOND, SECOND], 900.0, True),
        ([SECOND, Cue.PAUSE, SECOND, SECOND], 100.0, False),
        ([SECOND, Cue.PAUSE, Cue.SPEECH_STARTED, SECOND], 900.0, False),
        ([SECOND, Cue.PAUSE, Cue.SPEECH_STARTED, SECOND], 1900.0, True),
        ([SECOND, Cue.PAUSE, SECOND, SECOND, Cue.PAUSE], 900.0, True),
        ([SECOND], 900.0, True),
    ],
)
async def test_a_final_from_before_the_last_words_is_no_answer(
    cues: list[bytes | Cue], end_ms: float, is_answer: bool
) -> None:
    said: list[bool] = []

    async def asks(hearing: Hearing) -> None:
        while await hearing.take() is not Cue.FINALIZE:
            said.append(hearing.is_answer(end_ms))
        said.append(hearing.is_answer(end_ms))
        hearing.give_final("", 0, answers=True)
        await asyncio.Event().wait()

    await hear(asks, cues=[Cue.SPEECH_STARTED, *cues, Cue.FINALIZE])
    assert said[-1] is is_answer
    assert not any(said[:-1])
