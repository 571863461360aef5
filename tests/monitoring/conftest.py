"""A Prometheus that has seen the engine at work."""

import asyncio
from collections.abc import Iterator

import pytest

from monitoring.calls import everything
from monitoring.watched import watched
from support import prometheus
from support.prometheus import Prometheus

HAPPENED = (
    'parley_turns_total{outcome="interrupted"}',
    "parley_early_reply_gain_seconds_count",
    "parley_interrupt_seconds_count",
    "parley_pause_seconds_count",
    "parley_playout_gap_seconds_count",
    "parley_failovers_total",
    "parley_tool_seconds_count",
)
"""What a round of calls does not always bring about. A first time does not count as growth."""
ROUNDS = 5


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """All that is measured has happened."""
    prometheus.needed("prometheus")
    with watched(tmp_path_factory.mktemp("monitoring")) as (engine, server):
        for _ in range(ROUNDS):
            asyncio.run(everything(engine.url))
            seen_now(server)
            if all(server.query(f"sum(increase({one}[10m])) > 0") for one in HAPPENED):
                break
        yield server


def seen_now(server: Prometheus) -> None:
    """Return once all has been scraped, and the rules have been evaluated, after this moment."""
    now = server.query("time()")[0].value
    server.wait_for(f"min(timestamp(up)) > {now}")
    server.wait_for(f"min(timestamp(parley:capacity:used_ratio)) > {now + 1}")
