"""Every expression gives data, asked of a real Prometheus that has seen the real engine."""

import math
import re
from pathlib import Path

import pytest

from monitoring import expressions
from monitoring.expressions import DASHBOARDS, RULES, Expression
from support.prometheus import Prometheus

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

EMPTY: dict[str, str] = {}
"""Which may give no data, and why. Their expressions are valid all the same."""


def fault(server: Prometheus, expression: Expression) -> str | None:
    """What is wrong with it."""
    try:
        samples = server.query(expression.text)
    except ValueError as error:
        return str(error)
    if not samples:
        return f"no data: {expression.text}"
    if all(math.isnan(one.value) for one in samples):
        return f"nothing but NaN: {expression.text}"
    return None


@pytest.mark.parametrize("path", [*DASHBOARDS, *RULES], ids=lambda path: path.stem)
def test_every_expression_gives_data(live: Prometheus, path: Path) -> None:
    found = expressions.of(path)
    assert found
    faults = {one.where: fault(live, one) for one in found}
    assert {where: why for where, why in faults.items() if why and where not in EMPTY} == {}


def test_a_wrong_name_would_be_noticed(live: Prometheus) -> None:
    alert = "sum by (stage) (increase(parley_failovers_totals[15m])) > 10"
    assert fault(live, Expression("misspelt", expressions.compared(alert)))
    assert fault(live, Expression("misformed", "sum by (stage (up)"))


def test_what_the_engine_exports_is_looked_at(live: Prometheus) -> None:
    """A metric that no dashboard, rule or alert has is measured for nobody."""
    names = live.api("label/__name__/values")
    ours = {re.sub(r"_(bucket|count|sum|total|created)$", "", one) for one in names}
    texts = " ".join(one.text for path in (*DASHBOARDS, *RULES) for one in expressions.of(path))
    unseen = {one for one in ours if one.startswith("parley_") and one not in texts}
    assert unseen <= UNSEEN.keys()


UNSEEN = {
    "parley_key_calls": "a number for bills; the dashboards show calls and minutes",
    "parley_recordings_bytes": "a number for bills; the dashboards show recordings",
    "parley_workers_capacity": "parley_worker_capacity, as a gateway sees it",
}
