"""docs/operations.md, the alerts, their tests and the metrics in the code are of one mind."""

import ast
import functools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
PROMETHEUS = ROOT / "deploy" / "prometheus"
KINDS = {"Counter": "counter", "Gauge": "gauge", "Histogram": "histogram", "Info": "gauge"}
YAML: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
SUFFIXES = ("_bucket", "_count", "_sum")


class Metric(NamedTuple):
    """As Prometheus sees it."""

    name: str
    kind: str
    labels: tuple[str, ...]


def rules(file: str) -> list[dict[str, Any]]:
    groups = yaml.load((PROMETHEUS / file).read_text(encoding="utf-8"), YAML)["groups"]
    return [rule for group in groups for rule in group["rules"]]


ALERTS = {rule["alert"]: rule for rule in rules("alerts.yml")}


@functools.cache
def metrics_in_the_code() -> list[Metric]:
    found: list[Metric] = []
    for folder in ("libs", "services"):
        for path in (ROOT / folder).glob("*/src/**/*.py"):
            text = path.read_text(encoding="utf-8")
            for node in ast.walk(ast.parse(text)) if '"parley_' in text else ():
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    found += _metric(node, node.func.id)
    return found


def _metric(call: ast.Call, made: str) -> Iterator[Metric]:
    match call.args:
        case [ast.Constant(value=str(name)), *rest] if made in KINDS and name.startswith("parley_"):
            if made == "Info":
                yield Metric(f"{name}_info", "gauge", ("service", "version", "python"))
                return
            labels: list[str] = ast.literal_eval(rest[1]) if len(rest) > 1 else []
            yield Metric(name, KINDS[made], tuple(labels))


def metrics_in_the_guide() -> list[Metric]:
    rows = re.findall(r"(?m)^\| `(parley_\w+)` \| (\w+) \| ([\w, ]*) ?\| ", GUIDE)
    return [
        Metric(name, kind, tuple(labels.replace(",", " ").split())) for name, kind, labels in rows
    ]


def test_the_guide_has_every_metric_and_no_other() -> None:
    told, there = metrics_in_the_guide(), sorted(metrics_in_the_code())
    assert sorted(told) == there
    assert len({metric.name for metric in told}) == len(told)


def test_metrics_are_named_as_prometheus_has_it() -> None:
    for metric in metrics_in_the_code():
        assert metric.name.endswith("_total") == (metric.kind == "counter"), metric
        assert not re.search(r"_(ms|milliseconds|minutes|kb|percent)(_|$)", metric.name), metric
        assert not {"conversation", "call", "id", "turn", "text", "user"} & set(metric.labels)


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    headings = re.findall(r"(?m)^### (Parley\w+)$", GUIDE)
    assert sorted(headings) == sorted(ALERTS)
    for name, alert in ALERTS.items():
        link = alert["annotations"]["runbook_url"]
        assert link == f"docs/operations.md#{name.lower()}"
        assert alert["labels"]["severity"] in ("page", "ticket")
        assert {"summary", "description"} <= set(alert["annotations"])
        runbook = GUIDE.split(f"### {name}\n")[1]
        assert runbook.startswith(f"**{alert['labels']['severity']}.**")


def test_references_in_the_guide_lead_somewhere() -> None:
    headings = {one.lower() for one in re.findall(r"(?m)^### (\w+)$", GUIDE)}
    assert set(re.findall(r"\]\(#(\w+)\)", GUIDE)) <= headings


def test_recording_rules_are_in_the_guide() -> None:
    rows = re.findall(r"(?m)^\| (`parley:.*?) \|", GUIDE)
    told = []
    for row in rows:
        first, *others = re.findall(r"`(\S+)`", row)
        told.append(first)
        for other in others:
            told.append(re.sub(f"{other[0]}[^{other[0]}]*$", other, first))
    assert sorted(told) == sorted(rule["record"] for rule in rules("rules.yml"))


def test_rules_only_use_metrics_that_there_are() -> None:
    known = {metric.name for metric in metrics_in_the_code()}
    known |= {metric.name + suffix for metric in metrics_in_the_code() for suffix in SUFFIXES}
    known |= {rule["record"] for rule in rules("rules.yml")}
    for rule in (*rules("rules.yml"), *ALERTS.values()):
        used = set(re.findall(r"\bparley[_:][\w:]+", re.sub(r'"[^"]*"', "", rule["expr"])))
        assert used <= known, used - known


@functools.cache
def alert_tests() -> list[dict[str, Any]]:
    files = (path.read_text(encoding="utf-8") for path in (PROMETHEUS / "tests").glob("*.yml"))
    return [group for text in files for group in yaml.load(text, YAML)["tests"]]


@pytest.mark.parametrize("alert", sorted(ALERTS))
def test_every_alert_is_tested_to_fire_and_not_to(alert: str) -> None:
    fires, silent = False, False
    for group in alert_tests():
        if alert not in group["name"].split(":")[0].split(", "):
            continue
        for case in group["promql_expr_test"]:
            if "ALERTS" in case["expr"]:
                told = [sample["labels"] for sample in case.get("exp_samples", [])]
                named = any(f'alertname="{alert}"' in labels for labels in told)
                fires, silent = fires or named, silent or not named
    assert fires
    assert silent


def test_counters_that_alerts_follow_begin_at_zero() -> None:
    """A series that comes into being at 1 has not grown, and nobody would be told."""
    code = (
        "import parley_gateway.metrics, prometheus_client as p; print(p.generate_latest().decode())"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    wanted = set()
    for rule in (*rules("rules.yml"), *ALERTS.values()):
        for name, label, values in re.findall(
            r'(parley_\w+_total)\{(\w+)=~?"([\w|]+)"\}', rule["expr"]
        ):
            wanted |= {f'{name}{{{label}="{value}"' for value in values.split("|")}
    assert {one for one in wanted if f"{one}}}" not in shown and f"{one}," not in shown} == set()
    assert 'parley_refusals_total{code="no_capacity"' in wanted
