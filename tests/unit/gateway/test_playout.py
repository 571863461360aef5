"""Pacing in virtual time: never far ahead, never drifting, right about what was heard."""

import random

import pytest

from parley.audio import bytes_for
from parley_gateway.playout import FRAME_MS, LEAD_MS, REWIND_MS, Playout

RATE = 16_000


def pcm(ms: float) -> bytes:
    return bytes_for(ms, RATE) * b"\x01"


def test_nothing_is_due_before_there_is_audio() -> None:
    playout = Playout(RATE)
    assert playout.due(1.0).frames == []
    assert playout.heard_ms(1.0) == 0


def test_the_lead_goes_out_at_once_then_real_time() -> None:
    playout = Playout(RATE)
    playout.push(pcm(2000))
    first = playout.due(10.0).frames
    assert len(first) == LEAD_MS / FRAME_MS
    assert [len(playout.due(10.0 + tick * 0.02).frames) for tick in range(1, 50)] == [1] * 49


def test_a_minute_with_jittering_ticks_stays_within_the_lead_and_does_not_drift() -> None:
    playout, now, delivered = Playout(RATE), 100.0, 0.0
    playout.push(pcm(60_000))
    playout.finish()
    jitter = random.Random(1)
    for tick in range(3000):
        now = 100.0 + tick * 0.02 + jitter.uniform(0, 0.015)
        delivered += len(playout.due(now).frames) * FRAME_MS
        ahead = delivered - (now - 100.0) * 1000
        assert ahead <= 200 or delivered < LEAD_MS + 1
        if delivered < 60_000:
            assert abs(ahead - LEAD_MS) <= FRAME_MS
    assert delivered == 60_000
    assert not playout.ended_by(playout.heard_ms(159.9))
    assert playout.ended_by(playout.heard_ms(160.02))


def test_the_lead_is_not_heard() -> None:
    playout = Playout(RATE)
    playout.push(pcm(1000))
    playout.due(5.0)
    assert playout.heard_ms(5.0) == 0
    playout.due(5.1)
    assert playout.heard_ms(5.1) == pytest.approx(100)


def test_the_ear_waits_while_there_is_no_audio() -> None:
    playout = Playout(RATE)
    playout.push(pcm(100))
    playout.due(0.0)
    assert not playout.due(0.08).starved
    assert playout.due(0.12).starved
    assert not playout.due(0.5).starved
    assert playout.heard_ms(1.0) == 100
    playout.push(pcm(500))
    assert len(playout.due(1.0).frames) == LEAD_MS / FRAME_MS
    assert playout.heard_ms(1.05) == pytest.approx(150)


def test_late_audio_that_comes_before_the_ear_runs_dry_is_not_starvation() -> None:
    playout = Playout(RATE)
    playout.push(pcm(100))
    assert not playout.due(0.0).starved
    assert not playout.due(0.09).starved
    playout.push(pcm(100))
    assert not playout.due(0.1).starved
    assert playout.heard_ms(0.15) == pytest.approx(150)


def test_the_last_frame_is_filled_with_silence_that_does_not_count() -> None:
    playout = Playout(RATE)
    playout.push(pcm(50))
    playout.finish()
    frames = playout.due(0.0).frames
    assert len(frames) == 3
    assert frames[-1] == pcm(10) + bytes(bytes_for(10, RATE))
    assert playout.heard_ms(9.0) == 50
    assert playout.ended_by(playout.heard_ms(0.05))


def test_a_turn_without_audio_has_ended_when_it_is_complete() -> None:
    playout = Playout(RATE)
    assert not playout.ended_by(playout.heard_ms(0.0))
    playout.finish()
    assert playout.ended_by(playout.heard_ms(0.0))


def test_how_far_synthesis_is_ahead() -> None:
    playout = Playout(RATE)
    playout.push(pcm(3000))
    playout.due(0.0)
    assert playout.ahead_ms(1.0) == pytest.approx(3000 - 160) or playout.ahead_ms(0.1) == 2900


def test_audio_that_waits_can_be_replaced_and_what_was_delivered_stays() -> None:
    playout = Playout(RATE)
    playout.push(pcm(1000))
    playout.due(1.0)
    assert playout.delivered_ms == LEAD_MS
    playout.drop_after(500)
    assert playout.ahead_ms(1.0) == 500
    playout.push(b"\x02" * bytes_for(100, RATE))
    playout.finish()
    heard = b"".join(b"".join(playout.due(1.0 + tick * 0.02).frames) for tick in range(1, 60))
    assert heard.count(b"\x01") == bytes_for(500 - LEAD_MS, RATE)
    assert heard.endswith(b"\x02" * bytes_for(100, RATE))
    assert playout.ended_by(600)


def test_a_rewound_turn_is_delivered_again_from_there() -> None:
    playout = Playout(RATE)
    audio = bytes(range(256)) * (bytes_for(2_000, RATE) // 256)
    playout.push(audio)
    playout.finish()
    now, delivered = 50.0, b""
    for tick in range(50):
        delivered += b"".join(playout.due(now + tick * 0.02).frames)
    assert playout.heard_ms(now + 0.98) == pytest.approx(980)
    position = playout.rewind(745.0)
    assert position == 740.0
    assert playout.heard_ms(now + 0.98) == playout.delivered_ms == 740.0
    again = b""
    for tick in range(200):
        again += b"".join(playout.due(now + 3 + tick * 0.02).frames)
    begin = bytes_for(740, RATE)
    assert again[: len(audio) - begin] == audio[begin:]
    assert not any(again[len(audio) - begin :])
    assert playout.ended_by(playout.heard_ms(now + 7))
    assert delivered == audio[: len(delivered)]


def test_what_was_played_long_ago_is_forgotten_and_cannot_come_again() -> None:
    playout = Playout(RATE)
    playout.push(bytes(bytes_for(20_000, RATE)))
    for tick in range(900):
        playout.due(tick * 0.02)
    delivered = playout.delivered_ms
    position = playout.rewind(0.0)
    assert delivered - 2 * REWIND_MS - 200 < position <= delivered - REWIND_MS
    playout.due(100.0)
    assert playout.heard_ms(100.1) == pytest.approx(position + 100)
