"""What is left over is found; what comes and goes by itself is not."""

import pytest

from benchmarks.chaos.leftovers import SPARE_FILES, Holdings

IDLE = Holdings(jobs=0, tasks=11, subscriptions=3, files=18)


@pytest.mark.parametrize(
    ("held", "found"),
    [
        (IDLE, ""),
        (Holdings(0, 10, 2, 15), ""),
        (Holdings(0, 11, 3, 18 + SPARE_FILES), ""),
        (Holdings(1, 11, 3, 18), "1 jobs"),
        (Holdings(0, 13, 4, 18), "2 tasks, 1 subscriptions"),
        (Holdings(0, 11, 3, 18 + SPARE_FILES + 1), "1 files"),
    ],
)
def test_what_is_more_than_when_idle_is_left_over(held: Holdings, found: str) -> None:
    assert held.beyond(IDLE) == found
