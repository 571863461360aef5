"""What the ear gets is measured on audio that is made for it."""

import numpy as np
import pytest

from benchmarks.chaos.ear import answers, on_floor, silences_ms, talking_ms, trimmed, waiting_ms
from benchmarks.chaos.take import Floor, Take
from parley_cli.wav import Samples

RATE = 16_000


def sound(seconds: float) -> Samples:
    moments = np.arange(int(seconds * RATE)) / RATE
    return (8000 * np.sin(2 * np.pi * 440 * moments)).astype(np.int16)


def silence(seconds: float) -> Samples:
    return np.zeros(int(seconds * RATE), np.int16)


def take(*parts: Samples, floors: list[Floor]) -> Take:
    return Take(False, RATE, floors=floors, bot_audio=np.concatenate(parts), started_at=100.0)


def test_silence_is_counted_in_ms() -> None:
    assert silences_ms(silence(0.5), RATE) == 500
    assert silences_ms(sound(0.5), RATE) == 0
    assert silences_ms(np.concatenate([sound(0.2), silence(0.1), sound(0.2)]), RATE) == 100


def test_waiting_is_the_delay_of_an_answer_and_the_silence_inside_it() -> None:
    call = take(silence(3), sound(1), silence(0.4), sound(1), floors=[Floor(102.0, 105.4)])
    assert waiting_ms(call) == pytest.approx(1400, abs=20)
    assert talking_ms(call) == pytest.approx(2000, abs=20)


def test_silence_outside_the_floor_is_nobodys_fault() -> None:
    call = take(silence(3), sound(1), silence(5), sound(1), floors=[Floor(103.0, 104.0)])
    assert waiting_ms(call) == 0


def test_what_was_not_recorded_is_silence() -> None:
    call = take(sound(1), floors=[Floor(100.5, 103.0)])
    assert len(on_floor(call, call.floors[0])) == 2.5 * RATE
    assert waiting_ms(call) == pytest.approx(2000, abs=20)


def test_the_recording_is_divided_by_answers() -> None:
    floors = [Floor(100.5, 102.0), Floor(103.0, 105.0)]
    call = take(silence(1), sound(1), silence(2), sound(1), silence(3), floors=floors)
    first, second = answers(call)
    assert len(first) == pytest.approx(1.3 * RATE, abs=100)
    assert len(second) == pytest.approx(1.6 * RATE, abs=100)


def test_silence_alone_is_trimmed_to_nothing() -> None:
    assert len(trimmed(silence(1), RATE)) == 0
