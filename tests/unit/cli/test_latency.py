import numpy as np
import pytest

from parley_cli.latency import loud_windows, voice_to_voice


def windows(*spans: tuple[int, int], length: int = 100) -> np.ndarray:
    loud = np.zeros(length, bool)
    for start, end in spans:
        loud[start:end] = True
    return loud


def test_sound_is_found_in_windows_of_10_ms() -> None:
    samples = np.zeros(16 * 50, np.int16)
    samples[16 * 20 : 16 * 40] = 1000
    assert loud_windows(samples, 16_000).tolist() == [False, False, True, True, False]


@pytest.mark.parametrize(
    ("caller", "bot", "begun", "expected"),
    [
        ([(10, 30)], [(60, 80)], 60, 300.0),
        ([(10, 30)], [(60, 80)], 50, 300.0),  # the bot's audio begins with silence
        ([(10, 30), (70, 90)], [(60, 80)], 60, 300.0),  # a barge-in comes after
        ([(10, 20), (25, 30)], [(60, 80)], 60, 300.0),
        ([], [(60, 80)], 60, None),
        ([(10, 30)], [], 60, None),
    ],
)
def test_voice_to_voice(
    caller: list[tuple[int, int]], bot: list[tuple[int, int]], begun: int, expected: float | None
) -> None:
    assert voice_to_voice(windows(*caller), windows(*bot), 0, begun) == expected
