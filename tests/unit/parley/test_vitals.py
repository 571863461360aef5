"""What a service says of itself to Prometheus."""

import asyncio
import time
from contextlib import suppress

import pytest
from prometheus_client import REGISTRY

from parley import metrics, vitals


async def test_a_blocked_event_loop_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vitals, "LOOK_SECONDS", 0.001)
    before = REGISTRY.get_sample_value("parley_event_loop_lag_seconds_sum") or 0.0
    watching = asyncio.create_task(vitals.watch_loop())
    await asyncio.sleep(0)
    time.sleep(0.05)  # noqa: ASYNC251  # to block it is the point
    await asyncio.sleep(0.01)
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    after = REGISTRY.get_sample_value("parley_event_loop_lag_seconds_sum") or 0.0
    assert after - before >= 0.045


def test_build_info_names_the_service() -> None:
    vitals.introduce("stt")
    found = [sample.labels for family in metrics.BUILD.collect() for sample in family.samples]
    assert [set(labels) for labels in found] == [{"service", "version", "python"}]
    assert found[0]["service"] == "stt"
    assert found[0]["version"]
