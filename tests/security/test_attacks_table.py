"""docs/security.md says what the tests try."""

from security import gateway_table


def test_the_table_is_up_to_date() -> None:
    text = gateway_table.PAGE.read_text()
    assert gateway_table.rendered() in text, "PYTHONPATH=tests python -m security.gateway_table"
