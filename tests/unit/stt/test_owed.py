"""How long a FINALIZE is waited for that is not answered."""

import pytest

from parley_stt.clouds.owed import Owed


def sent(at: float, is_all: bool = False) -> Owed:
    owed = Owed(at)
    owed.sent(at, is_all)
    return owed


@pytest.mark.parametrize("may_be_all", [True, False])
def test_a_provider_that_has_told_all_may_say_nothing(may_be_all: bool) -> None:
    assert sent(10.0, is_all=True).until(has_partial=False, may_be_all=may_be_all) == 10.4


@pytest.mark.parametrize("may_be_all", [True, False])
def test_a_partial_that_has_all_words_has_to_do(may_be_all: bool) -> None:
    assert sent(10.0, is_all=True).until(has_partial=True, may_be_all=may_be_all) == 11.2


def test_the_wait_begins_as_soon_as_all_is_told_and_not_anew() -> None:
    owed = sent(10.0)
    owed.gave(10.5, is_all=False)
    owed.gave(11.0, is_all=True)
    owed.gave(11.3, is_all=True)
    assert owed.until(has_partial=False, may_be_all=False) == 11.4


def test_words_that_may_be_missing_are_waited_for_while_anything_comes() -> None:
    owed = sent(10.0)
    assert owed.until(has_partial=True, may_be_all=False) == 12.5
    owed.gave(12.0, is_all=False)
    assert owed.until(has_partial=True, may_be_all=False) == 14.5
    owed.gave(17.0, is_all=False)
    assert owed.until(has_partial=True, may_be_all=False) == 18.0


def test_who_cannot_say_that_all_is_told_is_waited_for_from_its_last_sign() -> None:
    owed = sent(10.0)
    assert owed.until(has_partial=True, may_be_all=True) == 11.2
    owed.gave(11.0, is_all=False)
    assert owed.until(has_partial=True, may_be_all=True) == 12.2


def test_a_finalize_that_waits_to_be_sent_is_waited_for_a_little_longer() -> None:
    owed = Owed(10.0)
    assert owed.until(has_partial=True, may_be_all=True) == pytest.approx(11.8)
    owed.sent(10.5, is_all=False)
    assert owed.until(has_partial=True, may_be_all=True) == 11.7
    owed.sent(11.0, is_all=False)  # again, to a new connection
    assert owed.until(has_partial=True, may_be_all=True) == 11.7
