"""The engine with its monitoring."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monitoring.calls import PROFILES, TOKEN
from support.engine import Engine
from support.nats import NatsServer
from support.prometheus import Prometheus


@contextmanager
def watched(folder: Path, scrape_seconds: float = 1.0) -> Iterator[tuple[Engine, Prometheus]]:
    """An engine, and a Prometheus that scrapes it and its NATS."""
    nats = NatsServer()
    settings = {
        "gateway": {"PARLEY_RECORD_HOURS": "1", "PARLEY_TOKEN": TOKEN},
        "nats-exporter": {"PARLEY_NATS_MONITOR_URL": nats.monitoring_url},
    }
    with Engine(folder / "engine", PROFILES, nats=nats, settings=settings) as engine:
        engine.start("nats-exporter")
        engine.wait_ready()
        (folder / "prometheus").mkdir()
        with Prometheus(
            folder / "prometheus", targets(engine), scrape_seconds=scrape_seconds
        ) as server:
            yield engine, server


def targets(engine: Engine) -> dict[str, list[str]]:
    """What is scraped, under the names that deploy/prometheus gives it."""
    jobs: dict[str, list[str]] = {}
    for service in engine.running():
        job = "nats" if service.name == "nats-exporter" else f"parley-{service.name}"
        jobs.setdefault(job, []).append(f"127.0.0.1:{service.port}")
    return jobs
