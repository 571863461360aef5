"""LiveRecognition with a recogniser that says how many whole seconds it was given."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from parley.providers import Cue, Emit, Heard
from parley_stt.engines.live import LiveRecognition
from parley_stt.engines.pool import Ticket, Urgency
from parley_stt.engines.recognition import Recognition
from parley_stt.engines.utterance import PRE_ROLL_MS

STARTED, PAUSE, FINALIZE = Cue.SPEECH_STARTED, Cue.PAUSE, Cue.FINALIZE
MS = 32


class Pool:
    """Recognises when it is told to."""

    def __init__(self, held: bool = False) -> None:
        self.tickets: list[Ticket] = []
        self.idle = True
        self.is_working = True
        self.held = held

    def submit(self, audio: bytes, urgency: Urgency) -> Ticket:
        ticket = Ticket(audio, urgency, asyncio.get_running_loop().create_future())
        self.tickets.append(ticket)
        if not self.held:
            self.finish(ticket)
        return ticket

    def finish(self, ticket: Ticket) -> None:
        ticket.result.set_result(Recognition(f"{len(ticket.audio) // MS} ms", 0.9, 1.0))


def audio(ms: int, level: int = 1) -> bytes:
    return bytes([level, 0]) * (ms * 16)


def emit_to(heard: list[Heard]) -> Emit:
    def emit(result: object) -> None:
        assert isinstance(result, Heard)
        heard.append(result)

    return emit


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def results(
    pool: Pool,
    script: list[bytes | Cue],
    partial_ms: float = 1e9,
    at_once: bool = False,
    young_ms: Sequence[float] = (),
) -> list[Heard]:
    heard: list[Heard] = []

    async def source() -> AsyncIterator[bytes | Cue]:
        for item in script:
            yield item
            if not at_once:
                await settle()

    live = LiveRecognition(pool, emit_to(heard), partial_ms, young_ms)  # type: ignore[arg-type]
    await live.run(source())
    return heard


async def hear(
    pool: Pool, script: list[bytes | Cue], partial_ms: float = 1e9
) -> list[tuple[str, bool]]:
    heard = await results(pool, script, partial_ms)
    return [(result.message, result.is_final) for result in heard]


async def test_the_pause_makes_the_final() -> None:
    pool = Pool()
    heard = await hear(
        pool, [audio(1000), STARTED, audio(500), PAUSE, audio(500), FINALIZE, audio(100)]
    )
    said = f"{PRE_ROLL_MS + 500} ms"
    assert heard == [(said, False), (said, True)]
    assert len(pool.tickets) == 1


async def test_speech_after_the_pause_is_recognised_as_one() -> None:
    pool = Pool()
    script: list[bytes | Cue] = [
        STARTED, audio(500), PAUSE, audio(100), STARTED, audio(300), PAUSE, FINALIZE
    ]  # fmt: skip
    assert await hear(pool, script) == [("500 ms", False), ("900 ms", False), ("900 ms", True)]


async def test_nothing_said_gives_an_empty_final() -> None:
    assert await hear(Pool(), [audio(1000), FINALIZE]) == [("", True)]


async def test_a_final_without_a_pause() -> None:
    assert await hear(Pool(), [STARTED, audio(300), FINALIZE]) == [("300 ms", True)]


async def test_what_is_open_at_the_end_becomes_final() -> None:
    assert await hear(Pool(), [STARTED, audio(300)]) == [("300 ms", True)]


async def test_partials_while_speaking() -> None:
    script: list[bytes | Cue] = [STARTED, *[audio(100)] * 25, PAUSE, FINALIZE]
    heard = await hear(Pool(), script, partial_ms=700)
    assert [text for text, is_final in heard if not is_final] == [
        "700 ms", "1400 ms", "2100 ms", "2500 ms",
    ]  # fmt: skip


async def test_no_partials_while_others_need_the_recogniser() -> None:
    pool = Pool()
    pool.idle = False
    heard = await hear(pool, [STARTED, *[audio(100)] * 25, PAUSE, FINALIZE], partial_ms=700)
    assert heard == [("2500 ms", False), ("2500 ms", True)]


async def test_a_long_utterance_is_committed_when_speech_goes_on() -> None:
    script: list[bytes | Cue] = [STARTED, *[audio(1000)] * 13, PAUSE, audio(300), STARTED]
    script += [audio(700), PAUSE, FINALIZE]
    heard = await hear(Pool(), script)
    assert heard == [
        ("13000 ms", False), ("13000 ms", True), ("1000 ms", False), ("1000 ms", True),
    ]  # fmt: skip


async def test_a_very_long_utterance_is_cut_where_it_is_quiet() -> None:
    script: list[bytes | Cue] = [STARTED, *[audio(1000, 99)] * 17, audio(500, 1)]
    script += [*[audio(500, 99)] * 5, audio(100), PAUSE, FINALIZE]
    pool = Pool()
    heard = await hear(pool, script)
    finals = [text for text, is_final in heard if is_final]
    assert finals == ["17050 ms", "3050 ms"]
    assert b"".join(ticket.audio for ticket in pool.tickets) == b"".join(
        item for item in script if isinstance(item, bytes)
    )


async def test_finals_that_nobody_asked_for_say_where_they_end() -> None:
    script: list[bytes | Cue] = [audio(3000), STARTED, *[audio(1000)] * 13, PAUSE, audio(300)]
    script += [STARTED, *[audio(1000, 99)] * 17, audio(500, 1), *[audio(500, 99)] * 5, PAUSE]
    script += [audio(400), FINALIZE, audio(900), STARTED, audio(100)]
    finals = [result for result in await results(Pool(), script) if result.is_final]
    committed = 3000 + 13_000
    cut = committed + 300 + 17_050
    assert [final.end_ms for final in finals] == [committed, cut, None, None]
    assert [final.message for final in finals] == [
        f"{13_000 + PRE_ROLL_MS} ms", "17350 ms", "2950 ms", f"{100 + PRE_ROLL_MS} ms"
    ]  # fmt: skip


async def test_what_comes_at_once_is_recognised_once() -> None:
    pool = Pool()
    script: list[bytes | Cue] = [STARTED, *[audio(32)] * 100, PAUSE, *[audio(32)] * 6]
    script += [STARTED, *[audio(32)] * 100, PAUSE, *[audio(32)] * 20, FINALIZE]
    heard = await results(pool, script, partial_ms=200, at_once=True)
    assert heard == [Heard(f"{206 * 32} ms", True, 0.9, 1.0)]
    assert len(pool.tickets) == 1


async def test_what_comes_at_once_makes_one_partial_of_all_of_it() -> None:
    pool = Pool(held=True)
    heard: list[Heard] = []
    script: list[bytes | Cue] = [STARTED, *[audio(32)] * 100]

    async def source() -> AsyncIterator[bytes | Cue]:
        for item in script:
            yield item
        await asyncio.Event().wait()

    live = LiveRecognition(pool, emit_to(heard), 200)  # type: ignore[arg-type]
    running = asyncio.create_task(live.run(source()))
    await settle()
    assert [len(ticket.audio) for ticket in pool.tickets] == [100 * 32 * MS]
    assert live.is_working
    pool.finish(pool.tickets[0])
    await settle()
    assert heard == [Heard("3200 ms", False, 0.9, 1.0, end_ms=3200)]
    assert not live.is_working
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_one_final_for_a_finalize_that_overtakes_the_recognition() -> None:
    pool = Pool(held=True)
    heard: list[Heard] = []
    items: asyncio.Queue[bytes | Cue] = asyncio.Queue()

    async def source() -> AsyncIterator[bytes | Cue]:
        while True:
            yield await items.get()

    live = LiveRecognition(pool, emit_to(heard), 1e9)  # type: ignore[arg-type]
    running = asyncio.create_task(live.run(source()))
    for item in (STARTED, audio(500), PAUSE):
        items.put_nowait(item)
    await settle()
    assert pool.tickets[0].urgency.name == "PAUSE"
    items.put_nowait(FINALIZE)
    await settle()
    assert pool.tickets[0].urgency.name == "FINAL"
    assert heard == []
    pool.finish(pool.tickets[0])
    await settle()
    assert heard == [Heard("500 ms", True, 0.9, 1.0)]
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_failing_recogniser_fails_the_hearing() -> None:
    pool = Pool()

    def fail(ticket: Ticket) -> None:
        ticket.result.set_exception(RuntimeError("broken"))

    pool.finish = fail  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="broken"):
        await hear(pool, [STARTED, audio(100), FINALIZE])


YOUNG = (150.0, 400.0)


async def partials(script: list[bytes | Cue], pool: Pool | None = None) -> list[tuple[str, object]]:
    heard = await results(pool or Pool(), script, 700, young_ms=YOUNG)
    return [(result.message, result.end_ms) for result in heard if not result.is_final]


async def test_the_first_partials_come_soon_after_the_onset() -> None:
    script: list[bytes | Cue] = [STARTED, *[audio(50)] * 30, PAUSE, FINALIZE]
    assert [text for text, _ in await partials(script)] == [
        "150 ms", "400 ms", "1100 ms", "1500 ms"
    ]  # fmt: skip


async def test_partials_say_what_they_cover() -> None:
    script: list[bytes | Cue] = [audio(1000), STARTED, *[audio(50)] * 10, PAUSE, audio(300)]
    assert [end_ms for _, end_ms in await partials(script)] == [1150, 1400, 1500]


async def test_long_speech_that_goes_on_is_not_young_again() -> None:
    script: list[bytes | Cue] = [STARTED, *[audio(1000)] * 4, PAUSE, audio(100), STARTED]
    script += [*[audio(50)] * 12, PAUSE, FINALIZE]
    assert [end_ms for _, end_ms in await partials(script)][-2:] == [4000, 4700]


async def test_an_empty_partial_says_that_there_are_no_words() -> None:
    pool = Pool()

    def finish(ticket: Ticket) -> None:
        ticket.result.set_result(Recognition("", 0.1, 1.0))

    pool.finish = finish  # type: ignore[method-assign]
    script: list[bytes | Cue] = [STARTED, *[audio(50)] * 6, PAUSE, FINALIZE]
    assert await partials(script, pool) == [("", 150), ("", 300)]
