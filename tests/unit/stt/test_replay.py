"""What a new connection to a transcriber is sent, and when there is none any more."""

import pytest

from parley.messages import Retry
from parley.providers import Cue, ProviderError
from parley_stt.clouds.replay import (
    AHEAD_MS,
    BREAKS,
    BREAKS_SECONDS,
    KEPT_MS,
    OverdueError,
    Reconnects,
    Replay,
)

BROKEN = ProviderError("it broke off")


def audio(ms: int, level: int = 1) -> bytes:
    """PCM16 at 16 kHz, all of one level."""
    return level.to_bytes(2, "little") * (ms * 16)


def sent(replay: Replay) -> list[int | Cue]:
    """All that the connection can be sent now: ms of audio, and cues."""
    items: list[int | Cue] = []
    while (item := replay.take()) is not None:
        items.append(item if isinstance(item, Cue) else len(item) // 32)
    return items


def spoken(*items: bytes | Cue) -> Replay:
    """Somebody speaks: nothing is dropped as silence."""
    replay = Replay()
    for item in (Cue.SPEECH_STARTED, *items):
        replay.append(item)
    replay.rewind()
    return replay


def test_all_is_sent_once_and_in_order() -> None:
    replay = spoken(audio(100), Cue.PAUSE, audio(50), Cue.FINALIZE, audio(20))
    assert sent(replay) == [150, Cue.FINALIZE, 20]
    assert sent(replay) == []
    replay.append(audio(30))
    assert sent(replay) == [30]


def test_chunks_are_as_large_as_wanted_but_for_the_last_before_a_finalize() -> None:
    replay = spoken(audio(100), Cue.FINALIZE, audio(70))
    sizes = []
    while (item := replay.take(at_least=40 * 32, at_most=60 * 32)) is not None:
        sizes.append(item if isinstance(item, Cue) else len(item) // 32)
    assert sizes == [60, 40, Cue.FINALIZE, 60]
    replay.append(audio(30))
    assert replay.take(at_least=40 * 32) == audio(40)


def test_a_new_connection_begins_where_the_finals_end() -> None:
    replay = spoken(audio(500, 1), audio(500, 2))
    assert sent(replay) == [1000]
    replay.settle(500)
    replay.rewind()
    assert replay.take() == audio(500, 2)
    assert replay.position_ms(0) == 500
    assert replay.position_ms(120) == 620


def test_what_is_not_answered_is_asked_again() -> None:
    replay = spoken(audio(300), Cue.FINALIZE, audio(40))
    assert sent(replay) == [300, Cue.FINALIZE, 40]
    assert (replay.owes, replay.asked_ms) == (1, 300)
    replay.rewind()
    assert (replay.owes, replay.asked_ms) == (0, None)
    assert sent(replay) == [300, Cue.FINALIZE, 40]
    replay.answer()
    replay.rewind()
    assert sent(replay) == [100 + 40]  # the last 100 ms before the FINALIZE are led in with
    assert replay.settled_ms == 200


def test_an_answer_settles_the_oldest_finalize_only() -> None:
    replay = spoken(audio(300), Cue.FINALIZE, audio(300), Cue.FINALIZE)
    sent(replay)
    replay.answer()
    replay.rewind()
    assert sent(replay) == [400, Cue.FINALIZE]


def test_a_finalize_that_finals_have_passed_is_still_asked() -> None:
    replay = spoken(audio(300), Cue.FINALIZE, audio(300))
    sent(replay)
    replay.settle(400)
    replay.rewind()
    assert sent(replay) == [Cue.FINALIZE, 200]


def test_what_was_not_sent_is_not_dropped_whatever_a_final_says() -> None:
    replay = spoken(audio(400))
    replay.take(at_most=100 * 32)
    replay.settle(10_000)
    assert replay.settled_ms == 100
    assert sent(replay) == [300]


def test_an_answer_without_a_question_changes_nothing() -> None:
    replay = spoken(audio(400))
    sent(replay)
    replay.answer()
    assert (replay.settled_ms, replay.owes) == (0, 0)


def test_speech_is_kept_for_so_long_and_silence_for_less() -> None:
    replay = spoken()
    for _ in range(40):
        replay.append(audio(1000))
        sent(replay)
    assert replay.settled_ms == 40_000 - KEPT_MS
    replay.settle(39_000, turn_over=True)
    for _ in range(10):
        replay.append(audio(1000))
        sent(replay)
    replay.rewind()
    assert (replay.heard_ms, sent(replay)) == (50_000, [3_000])


def test_what_waits_to_be_sent_is_kept_and_makes_wait() -> None:
    replay = Replay()
    replay.rewind()
    while not replay.is_full:
        replay.append(audio(1000))
    assert replay.heard_ms == AHEAD_MS
    assert sent(replay) == [AHEAD_MS]
    assert not replay.is_full


def test_silence_of_the_adapters_own_shifts_no_position() -> None:
    replay = spoken(audio(1000))
    sent(replay)
    replay.fill(200 * 32)
    replay.append(audio(500))
    sent(replay)
    replay.fill(100 * 32)
    replay.append(audio(500))
    sent(replay)
    places = {900: 900, 1000: 1000, 1100: 1000, 1200: 1000, 1300: 1100, 1750: 1500, 1900: 1600}
    assert {stream: replay.position_ms(stream) for stream in places} == places
    replay.settle(1_200)
    assert replay.position_ms(1500) == 1300
    assert replay.position_ms(1900) == 1600
    replay.rewind()
    assert replay.position_ms(100) == 1300


def test_no_position_is_after_what_was_heard() -> None:
    assert spoken(audio(100)).position_ms(5_000) == 100


def test_new_connections_that_bring_nothing_are_given_up() -> None:
    reconnects = Reconnects()
    assert [reconnects.wait_seconds(BROKEN, now) for now in (0.0, 1.0)] == [0.1, 0.2]
    with pytest.raises(ProviderError, match="it broke off"):
        reconnects.wait_seconds(BROKEN, 2.0)


def test_what_is_overdue_is_not_waited_for() -> None:
    with pytest.raises(OverdueError):
        Reconnects().wait_seconds(OverdueError("late"), 0.0)


def test_one_that_brings_something_counts_from_there() -> None:
    reconnects = Reconnects()
    for now in range(0, 400, 40):
        assert [reconnects.wait_seconds(BROKEN, now + late) for late in (0, 1)] == [0.1, 0.2]
        reconnects.worked()


def test_one_that_always_breaks_off_soon_is_given_up() -> None:
    reconnects = Reconnects()
    waits = []
    with pytest.raises(ProviderError):
        for now in range(BREAKS):
            waits.append(reconnects.wait_seconds(BROKEN, now))
            reconnects.worked()
    assert waits == [0.1, 0.2, 0.4, 0.8]


def test_breaks_of_long_ago_do_not_count() -> None:
    reconnects = Reconnects()
    for now in range(10):
        assert reconnects.wait_seconds(BROKEN, now * (BREAKS_SECONDS + 1)) == 0.1
        reconnects.worked()


@pytest.mark.parametrize("retry", [Retry.NEVER, Retry.LATER])
def test_a_refusal_is_final(retry: Retry) -> None:
    with pytest.raises(ProviderError) as failed:
        Reconnects().wait_seconds(ProviderError("no", retry), 0.0)
    assert failed.value.retry is retry
