"""Prometheus's own tools accept our files, and each alert does what it is there for.

promtool is that of the machine, or Debian's 2.42: `support.prometheus` says how it is found.
"""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from support.nats import NatsServer, free_port
from support.prometheus import CONFIG, RULES, Prometheus, needed, promtool
from support.service_process import ServiceProcess

ALERT_TESTS = sorted((CONFIG / "tests").glob("*.yml"))


def test_configuration_is_valid() -> None:
    content, said = promtool("check", "config", str(CONFIG / "prometheus.yml"))
    assert content, said


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_rules_are_valid(path: Path) -> None:
    content, said = promtool("check", "rules", "--lint-fatal", str(path))
    assert content, said


@pytest.mark.parametrize("path", ALERT_TESTS, ids=lambda path: path.stem)
def test_alerts_fire_when_they_should_and_only_then(path: Path) -> None:
    content, said = promtool("test", "rules", str(path))
    assert content, said


def test_a_changed_threshold_is_noticed(tmp_path: Path) -> None:
    """The tests of the rules are able to fail."""
    shutil.copytree(CONFIG, tmp_path / "prometheus")
    alerts = tmp_path / "prometheus" / "alerts.yml"
    alerts.write_text(alerts.read_text().replace("waiting > 1000", "waiting > 800"))
    content, said = promtool("test", "rules", str(alerts.parent / "tests" / "records.yml"))
    assert not content
    assert "ParleyRecordsWait" in said


def test_the_example_of_an_alertmanager_is_valid() -> None:
    amtool = needed("amtool")
    done = subprocess.run(
        [str(amtool), "check-config", str(CONFIG / "alertmanager.example.yml")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_inhibitions_name_alerts_that_there_are() -> None:
    groups = yaml.safe_load((CONFIG / "alerts.yml").read_text())["groups"]
    known = {rule["alert"] for group in groups for rule in group["rules"]}
    rules = yaml.safe_load((CONFIG / "alertmanager.example.yml").read_text())["inhibit_rules"]
    named = set()
    for rule in rules:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            named |= set(matcher.split('"')[1].split("|"))
    assert named <= known


@pytest.fixture
def gateway(shared_nats: NatsServer, tmp_path: Path) -> Iterator[ServiceProcess]:
    """A real gateway, which no worker serves."""
    env = {"PARLEY_NATS_URL": shared_nats.url, "PARLEY_PORT": str(free_port())}
    found = ServiceProcess("gateway", tmp_path / "gateway.log", env)
    yield found
    found.stop()


def test_a_gateway_is_scraped_and_judged(gateway: ServiceProcess, tmp_path: Path) -> None:
    targets = {"parley-gateway": [f"127.0.0.1:{gateway.port}"]}
    with Prometheus(tmp_path, targets, scrape_seconds=0.5) as prometheus:
        built = prometheus.wait_for("parley_build_info", timeout=60)
        assert built[0].labels["service"] == "gateway"
        prometheus.wait_for("parley_draining == 0")
        prometheus.wait_for("rate(parley_event_loop_lag_seconds_count[5s]) > 0")
        prometheus.wait_for('ALERTS{alertname="ParleyNoWorker", stage="tts"}')
        assert "ParleyNoWorker" in prometheus.alerts()
        assert "firing" not in prometheus.alerts().values(), "it is given a minute"
    content, said = promtool("check", "metrics", given=gateway.get("/metrics"))
    assert content, said
