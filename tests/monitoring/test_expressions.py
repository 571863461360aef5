"""Asking for what an alert compares, whether or not it fires."""

import pytest

from monitoring import expressions


@pytest.mark.parametrize(
    ("alert", "asked"),
    [
        ("a > 1", "a > bool 1"),
        ('a{b!="c", d=~"<e>"} <= 0.5', 'a{b!="c", d=~"<e>"} <= bool 0.5'),
        (
            'label_replace(a, "b", "==", "", "") == 0',
            'label_replace(a, "b", "==", "", "") == bool 0',
        ),
        ("a >= bool 1", "a >= bool 1"),
        ("a > 1 and on () sum(b) != 2", "a > bool 1 and on () sum(b) != bool 2"),
        ("absent(a)", "count(a)"),
    ],
)
def test_comparisons_give_both_outcomes(alert: str, asked: str) -> None:
    assert expressions.compared(alert) == asked


def test_all_choices_of_a_panel_are_filled_in() -> None:
    panel = 'rate(a{instance=~"$gateway"}[$__rate_interval])'
    assert expressions.filled(panel) == 'rate(a{instance=~".*"}[10m])'
