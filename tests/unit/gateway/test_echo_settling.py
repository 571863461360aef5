"""What is let through while the canceller still learns."""

import numpy as np

from parley_gateway.echo.settling import DEAF_SECONDS, ECHO_SECONDS, SETTLED_SECONDS, Settling

FRAME = 160
QUIET = np.zeros(FRAME, np.int16)


def tone(level: int) -> np.ndarray:
    """A frame whose root mean square is that level."""
    return (np.array([level, -level] * (FRAME // 2))).astype(np.int16)


def level_after(settling: Settling, seconds: float, *frame: np.ndarray) -> float:
    """What level is let through in the last of those frames: (microphone, ear, cleaned)."""
    for _ in range(round(seconds * 100)):
        out = settling.let_through(*frame)
    return float(np.sqrt(np.mean(out.astype(float) ** 2)))


def test_before_the_bot_has_spoken_all_is_let_through() -> None:
    assert level_after(Settling(FRAME), 1.0, tone(1000), QUIET, tone(1000)) == 1000


def test_at_first_nothing_is_let_through_while_the_bot_is_heard() -> None:
    settling = Settling(FRAME)
    assert level_after(settling, DEAF_SECONDS / 2, tone(1000), tone(2000), tone(1000)) == 0
    assert level_after(settling, ECHO_SECONDS / 2, tone(1000), QUIET, tone(1000)) == 0
    assert level_after(settling, ECHO_SECONDS, tone(1000), QUIET, tone(1000)) == 1000


def test_then_the_caller_is_let_through_and_what_is_left_of_the_bot_is_not() -> None:
    settling = Settling(FRAME)
    level_after(settling, DEAF_SECONDS, tone(1000), tone(2000), tone(1000))
    assert level_after(settling, 0.5, tone(1000), tone(2000), tone(300)) == 0
    assert level_after(settling, 0.5, tone(1000), tone(2000), tone(800)) == 800


def test_in_the_end_all_is_let_through() -> None:
    settling = Settling(FRAME)
    level_after(settling, SETTLED_SECONDS, tone(1000), tone(2000), tone(300))
    assert level_after(settling, 0.1, tone(1000), tone(2000), tone(300)) == 300


def test_the_bots_silence_does_not_count() -> None:
    settling = Settling(FRAME)
    level_after(settling, 0.1, tone(1000), tone(2000), tone(300))
    level_after(settling, 10.0, tone(1000), QUIET, tone(300))
    assert level_after(settling, 0.1, tone(1000), tone(2000), tone(300)) == 0
