"""Both autoscalers ask for the same, and what they ask for is right."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

from parley import metrics as worker_metrics
from parley.subjects import Stage
from parley.worker import Worker
from parley_gateway import metrics as gateway_metrics
from parley_gateway.admission import Admission
from support import prometheus
from support.manifests import FOLDER, SERVICES, STAGES, Object, rendered

ADAPTER = FOLDER / "components" / "hpa" / "adapter.yaml"
TARGET = 0.6

SERIES = """
- {series: 'parley_worker_jobs_running{namespace="parley",stage="stt",pod="a"}', values: '15x20'}
- series: 'parley_worker_jobs_running{namespace="parley",stage="stt",pod="b"}'
  values: '9 15 9x18'
- {series: 'parley_worker_jobs_running{namespace="parley",stage="tts",pod="c"}', values: '3x20'}
- {series: 'parley_worker_jobs_running{namespace="other",stage="stt",pod="d"}', values: '20x20'}
- {series: 'parley_worker_capacity{namespace="parley",stage="stt",pod="a"}', values: '20x20'}
- {series: 'parley_worker_capacity{namespace="parley",stage="stt",pod="b"}', values: '20x20'}
- {series: 'parley_worker_capacity{namespace="parley",stage="tts",pod="c"}', values: '6x20'}
- {series: 'parley_worker_capacity{namespace="other",stage="stt",pod="d"}', values: '20x20'}
- {series: 'parley_conversations_active{namespace="parley",pod="g"}', values: '90x20'}
- {series: 'parley_conversations_active{namespace="parley",pod="h"}', values: '60x20'}
- {series: 'parley_conversations_capacity{namespace="parley",pod="g"}', values: '100x20'}
- {series: 'parley_conversations_capacity{namespace="parley",pod="h"}', values: '100x20'}
"""
EXPECTED: dict[str, list[tuple[str, float | None]]] = {
    "stt": [("1m", 1.5), ("2m", 1.5), ("4m", 1.2)],
    "tts": [("1m", 0.5)],
    "gateway": [("1m", 1.5)],
    "agent": [("1m", None)],
}
"""Pods' worth of work: at its highest while the wave of b is less than two minutes ago."""


def _scalers(overlay: str, kind: str) -> dict[str, Object]:
    scalers = rendered(overlay).of(kind)
    return {one["metadata"]["name"].removeprefix("parley-"): one["spec"] for one in scalers}


def _asked_by_hpa(service: str) -> str:
    """The query that prometheus-adapter makes of what the autoscaler asks for."""
    external = _scalers("production-hpa", "HorizontalPodAutoscaler")[service]["metrics"][0]
    metric = external["external"]["metric"]
    labels = {"namespace": "parley"} | metric.get("selector", {}).get("matchLabels", {})
    matchers = ",".join(f'{name}="{value}"' for name, value in labels.items())
    rules = yaml.safe_load(ADAPTER.read_text())["rules"]["external"]
    (rule,) = (one for one in rules if one["name"]["as"] == metric["name"])
    return _plain(rule["metricsQuery"].replace("<<.LabelMatchers>>", matchers))


def _asked_by_keda(service: str) -> str:
    spec = _scalers("production-keda", "ScaledObject")[service]
    return _plain(spec["triggers"][0]["metadata"]["query"])


def _plain(query: str) -> str:
    return re.sub(r"\s+", " ", query).strip()


@pytest.mark.parametrize("service", SERVICES)
def test_both_ask_for_the_same_within_the_same_bounds(service: str) -> None:
    hpa = _scalers("production-hpa", "HorizontalPodAutoscaler")[service]
    keda = _scalers("production-keda", "ScaledObject")[service]
    assert _asked_by_hpa(service) == _asked_by_keda(service)
    assert (hpa["minReplicas"], hpa["maxReplicas"]) == (
        keda["minReplicaCount"],
        keda["maxReplicaCount"],
    )
    target = hpa["metrics"][0]["external"]["target"]
    assert target == {"type": "AverageValue", "averageValue": f"{TARGET * 1000:.0f}m"}
    trigger = keda["triggers"][0]
    assert (trigger["metricType"], trigger["metadata"]["threshold"]) == (
        "AverageValue",
        str(TARGET),
    )
    advanced = keda["advanced"]["horizontalPodAutoscalerConfig"]
    assert hpa["behavior"] == advanced["behavior"]


@pytest.mark.parametrize("service", SERVICES)
def test_what_goes_leaves_room_for_its_calls(service: str) -> None:
    hpa = _scalers("production-hpa", "HorizontalPodAutoscaler")[service]
    fewest = hpa["minReplicas"]
    down = hpa["behavior"]["scaleDown"]
    # One pod of the fewest goes, and the others can take what it had.
    assert TARGET * fewest <= fewest - 1
    assert down["stabilizationWindowSeconds"] >= 300
    assert all(one["value"] <= 5 for one in down["policies"])


def test_nothing_shrinks_because_prometheus_is_away() -> None:
    for spec in _scalers("production-keda", "ScaledObject").values():
        assert "fallback" not in spec
        assert spec["triggers"][0]["metadata"]["ignoreNullValues"] == "false"
        assert spec["minReplicaCount"] > 0


@pytest.mark.parametrize("service", SERVICES)
def test_the_metrics_are_those_that_services_have(service: str) -> None:
    known = {
        gauge._name
        for gauge in (
            worker_metrics.JOBS_RUNNING,
            worker_metrics.CAPACITY,
            gateway_metrics.CONVERSATIONS,
            gateway_metrics.CONVERSATIONS_CAPACITY,
        )
    }
    asked = set(re.findall(r"parley_\w+", _asked_by_keda(service)))
    assert len(asked) == 2
    assert asked <= known


def test_the_query_counts_pods_worth_of_work(tmp_path: Path) -> None:
    tests = []
    for service, moments in EXPECTED.items():
        for at, value in moments:
            samples = [] if value is None else [{"labels": "{}", "value": value}]
            tests.append({"expr": _asked_by_keda(service), "eval_time": at, "exp_samples": samples})
    _promtool(tmp_path, yaml.safe_load(SERIES), tests)


def _promtool(folder: Path, series: list[Object], tests: list[Object]) -> None:
    """Have it make the series, a value each 15 s, and evaluate what is asked of them."""
    promtool = prometheus.needed("promtool")
    case = {"interval": "15s", "input_series": series, "promql_expr_test": tests}
    file = folder / "cases.yml"
    file.write_text(yaml.safe_dump({"evaluation_interval": "15s", "tests": [case]}))
    done = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_before_the_first_job_there_is_no_work_rather_than_no_answer(
    service: str, tmp_path: Path
) -> None:
    """By what the service itself says as it starts: an autoscaler takes no answer for an error."""
    nothing: Any = None
    if service == "gateway":
        metrics, labels = {}, ""
        Admission(*[nothing] * 4, max_conversations=100, access=nothing)
    else:
        metrics, labels = {"stage": service}, f',stage="{service}"'
        Worker(nothing, Stage(service), nothing, capacity=20)
    query = _asked_by_keda(service)
    series = []
    for name in re.findall(r"parley_\w+", query):
        value = REGISTRY.get_sample_value(name, metrics)
        assert value is not None, name
        series.append({"series": f'{name}{{namespace="parley"{labels}}}', "values": f"{value}x20"})
    expected = [{"labels": "{}", "value": 0}]
    _promtool(tmp_path, series, [{"expr": query, "eval_time": "3m", "exp_samples": expected}])


def test_every_stage_is_scaled() -> None:
    assert set(_scalers("production-hpa", "HorizontalPodAutoscaler")) == {"gateway", *STAGES}
