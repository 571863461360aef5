import numpy as np

from parley_cli.caller import CallerVoice


def samples(*values: int) -> np.ndarray:
    return np.array(values, np.int16)


def test_silence_when_there_is_nothing_to_say() -> None:
    assert CallerVoice().take(3).tolist() == [0, 0, 0]


def test_speech_is_said_in_order_and_filled_up() -> None:
    voice = CallerVoice()
    voice.play(samples(1, 2))
    voice.play(samples(3))
    assert voice.take(2).tolist() == [1, 2]
    assert voice.pending == 1
    assert voice.take(2).tolist() == [3, 0]


def test_mixing_begins_now_and_does_not_overflow() -> None:
    voice = CallerVoice()
    voice.play(samples(30000, 1))
    voice.mix(samples(30000, -30000, 7))
    assert voice.take(3).tolist() == [32767, -29999, 7]
