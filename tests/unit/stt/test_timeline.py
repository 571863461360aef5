import numpy as np
import pytest

from parley_stt.timeline import WINDOW_BYTES, Timeline, Window


def pcm(samples: int, value: int = 7) -> bytes:
    return np.full(samples, value, "<i2").tobytes()


def test_frames_become_windows() -> None:
    timeline = Timeline(16_000)
    windows = [window for i in range(8) for window in timeline.push(i * 320, pcm(320))]
    assert [window.position_ms for window in windows] == [0, 32, 64, 96, 128]
    assert all(len(window.pcm) == WINDOW_BYTES for window in windows)


def test_hearing_may_begin_in_the_middle_of_a_call() -> None:
    assert Timeline(16_000).push(16_000, pcm(512)) == [Window(1000, pcm(512))]


@pytest.mark.parametrize("rate", [8_000, 24_000, 48_000])
def test_positions_hold_at_other_rates(rate: int) -> None:
    timeline = Timeline(rate)
    frame = rate // 50
    windows = [window for i in range(100) for window in timeline.push(i * frame, pcm(frame))]
    assert len(windows) >= 60
    assert windows[-1].position_ms == (len(windows) - 1) * 32


def test_a_lost_frame_becomes_silence() -> None:
    timeline = Timeline(16_000)
    timeline.push(0, pcm(256))
    (first, second) = timeline.push(512, pcm(512))
    assert first == Window(0, pcm(256) + bytes(512))
    assert second == Window(32, pcm(512))


def test_a_long_gap_is_filled_with_a_second_and_jumped() -> None:
    timeline = Timeline(16_000)
    timeline.push(0, pcm(512))
    windows = timeline.push(10 * 16_000 + 512, pcm(1024))
    silent = [window for window in windows if not any(window.pcm)]
    assert len(silent) == 31
    assert windows[-1].position_ms == pytest.approx(10_032, abs=64)


def test_what_came_before_a_long_gap_keeps_its_position() -> None:
    timeline = Timeline(16_000)
    assert timeline.push(0, pcm(300)) == []
    windows = timeline.push(10 * 16_000, pcm(1024))
    assert windows[0] == Window(0, pcm(300) + bytes(212 * 2))
    assert [window.position_ms for window in windows[:31]] == [32 * i for i in range(31)]
    joined, whole = windows[-2:]
    silent = 16_000 + 300 - 31 * 512
    assert joined == Window(10_000 - silent / 16, bytes(silent * 2) + pcm(512 - silent))
    assert whole.position_ms == joined.position_ms + 32


def test_repeated_audio_is_cut() -> None:
    timeline = Timeline(16_000)
    timeline.push(0, pcm(512))
    assert timeline.push(0, pcm(512)) == []
    assert timeline.push(256, pcm(256, 1) + pcm(512, 2)) == [Window(32, pcm(512, 2))]


def test_positions_begin_again_after_32_bits() -> None:
    timeline = Timeline(16_000)
    last = (1 << 32) - 512
    (before,) = timeline.push(last, pcm(512))
    (after,) = timeline.push(0, pcm(512))
    assert after.position_ms == before.position_ms + 32
