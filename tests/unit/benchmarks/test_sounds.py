"""Sounds are trimmed, levelled and put together."""

import numpy as np
import pytest

from benchmarks.turns import sounds
from benchmarks.turns.asking import quietest, with_pauses
from benchmarks.turns.clips import doubled
from parley_cli.wav import Samples


def tone(seconds: float, amplitude: float = 0.2) -> Samples:
    beat = np.arange(int(seconds * sounds.RATE)) / sounds.RATE
    return sounds.pcm(amplitude * np.sin(2 * np.pi * 440 * beat))


def silence(seconds: float) -> Samples:
    return np.zeros(int(seconds * sounds.RATE), np.int16)


def test_the_silence_around_a_sound_is_cut_off() -> None:
    trimmed = sounds.trimmed(sounds.joined(silence(0.5), tone(1), silence(0.7)))
    assert sounds.seconds(trimmed) == pytest.approx(1, abs=0.03)


def test_the_silence_inside_a_sound_stays() -> None:
    trimmed = sounds.trimmed(sounds.joined(tone(0.3), silence(0.5), tone(0.3)))
    assert sounds.seconds(trimmed) == pytest.approx(1.1, abs=0.03)


@pytest.mark.parametrize("dbfs", [-40.0, -23.0])
def test_a_sound_gets_the_level_asked_for(dbfs: float) -> None:
    assert sounds.level(sounds.at_level(tone(1), dbfs)) == pytest.approx(dbfs, abs=0.1)


def test_a_level_is_of_the_loud_half() -> None:
    assert sounds.level(sounds.joined(tone(1), silence(0.9))) == pytest.approx(
        sounds.level(tone(1)), abs=0.2
    )


def test_nothing_is_clipped_to_be_loud() -> None:
    assert np.abs(sounds.at_level(tone(1), 6.0)).max() <= 32000


def test_a_higher_voice_is_a_faster_one() -> None:
    assert sounds.seconds(sounds.higher(tone(1), 1.25)) == pytest.approx(0.8, abs=0.01)


def test_pauses_lie_where_they_are_said_to() -> None:
    whole, found = with_pauses([tone(1), tone(0.5), tone(0.5)], [0.4, 1.0])
    assert [edge for pause in found for edge in pause] == pytest.approx([1.0, 1.4, 1.9, 2.9])
    assert sounds.seconds(whole) == pytest.approx(3.4)
    inside = whole[int(1.05 * sounds.RATE) : int(1.35 * sounds.RATE)]
    assert sounds.level(inside) < -55


def test_a_cut_is_made_where_it_is_quiet() -> None:
    spoken = sounds.joined(tone(1), silence(0.06), tone(1))
    assert quietest(spoken, 1.06) == pytest.approx(1.03, abs=0.03)


def test_a_doubled_hum_has_a_gap() -> None:
    hum = doubled(tone(1))
    assert sounds.seconds(hum) == pytest.approx(0.22 + 0.06 + 0.22 / 1.15, abs=0.02)
    gap = hum[int(0.23 * sounds.RATE) : int(0.27 * sounds.RATE)]
    assert sounds.level(gap) < sounds.level(hum) - 20
