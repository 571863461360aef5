"""The sums of docs/sizing.md, and that its tables and the manifests follow from them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.sizing import bus, sums, tables
from benchmarks.sizing.fit import Curve, Line, curve, line
from benchmarks.sizing.sums import PODS, SERVICES, Cost, Need, Peers, Pod

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "sizing.md"
KUBERNETES = ROOT / "deploy" / "kubernetes"
FOLDERS = {"embedded": [KUBERNETES / "base"]}
FOLDERS["cloud"] = [*FOLDERS["embedded"], KUBERNETES / "components" / "cloud"]

NOBODY = Peers(0.0, 0.0, 0.0)


def result() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "benchmarks/results/sizing.json").read_text())
    return found


def cost(each: float, jobs: float = 1.0) -> Cost:
    return Cost(Curve(((0, 0.0), (10, 10 * each)), 0.0), Line(100.0, 1.0, 0.0), jobs)


def test_a_line_goes_through_its_points() -> None:
    found = line([(1, 5.0), (3, 9.0), (11, 25.0)])
    assert (found.fixed, found.each, found.off) == pytest.approx((3.0, 2.0, 0.0))
    assert found.at(100) == pytest.approx(203.0)


def test_nothing_costs_less_than_nothing() -> None:
    assert line([(1, 1.0), (2, 3.0)]).fixed == 0.0
    falling = line([(1, 3.0), (2, 1.0)])
    assert (falling.fixed, falling.each) == (2.0, 0.0)


def test_off_is_the_furthest_point() -> None:
    found = line([(0, 10.0), (1, 10.0), (2, 10.0), (3, 14.0), (3, 6.0)])
    assert found.off == pytest.approx(0.4)


def test_a_curve_goes_through_the_means_of_its_points() -> None:
    found = curve([(8, 3.0), (0, 1.0), (4, 1.75), (4, 2.25)])
    assert found.points == ((0, 1.0), (4, 2.0), (8, 3.0))
    assert found.spread == pytest.approx(0.125)
    assert [found.at(calls) for calls in (0, 2, 4, 6, 8)] == pytest.approx([1, 1.5, 2, 2.5, 3])
    assert [found.calls(value) for value in (1, 1.5, 2, 3)] == pytest.approx([0, 2, 4, 8])


def test_beyond_a_curve_every_call_costs_what_it_did_at_its_end() -> None:
    found = curve([(0, 1.0), (8, 4.0)])
    assert found.at(16) == pytest.approx(8.0)
    assert found.calls(8.0) == pytest.approx(16)


def test_no_number_of_calls_costs_less_than_none() -> None:
    with pytest.raises(ValueError, match="of no call at all"):
        curve([(0, 1.0), (8, 4.0)]).calls(0.5)


def test_what_was_measured_with_a_service_left_out_goes_on_where_the_rest_ends() -> None:
    def window(calls: int, **cpu: float) -> dict[str, Any]:
        return {
            "calls": calls,
            "cpu": cpu,
            "memory": dict.fromkeys(cpu, 100.0),
            "jobs": {"stt": calls / 2},
        }

    some = [window(calls, gateway=0.1 + calls / 40, stt=0.1 + calls / 20) for calls in (0, 4, 8)]
    whole = {"windows": some}
    part = {"windows": [window(8, gateway=9.9), window(16, gateway=0.6)]}
    found = sums.costs(whole, part)
    assert [found["gateway"].cpu.at(calls) for calls in (8, 16)] == pytest.approx([0.3, 0.6])
    assert [calls for calls, _ in found["gateway"].cpu.points] == [0, 4, 8, 16]
    assert [calls for calls, _ in found["stt"].cpu.points] == [0, 4, 8]
    assert (found["gateway"].jobs, found["stt"].jobs) == pytest.approx((1.0, 0.5))


def test_pods_are_kept_at_the_autoscalers_target() -> None:
    spent = {name: cost(0.001) for name in SERVICES} | {"agent": cost(0.001, jobs=0.1)}
    pods = {name: Pod(100, 1.0, 500) for name in SERVICES}
    found = sums.needs(spent, pods, NOBODY, 1_200)
    assert [found[name].replicas for name in SERVICES] == [20, 20, 3, 20]
    assert found["stt"].cores == pytest.approx(1.2)
    assert found["stt"].gigabytes == pytest.approx(3.2)
    assert found["stt"].cores_asked == 20.0
    assert found["stt"].gigabytes_asked == pytest.approx(20 * 500 * 1024**2 / 1e9)


def test_a_busy_processor_takes_more_pods_than_its_jobs_do() -> None:
    spent = {name: cost(0.1) for name in SERVICES}
    pods = {name: Pod(100, 1.0, 500) for name in SERVICES}
    # 8 calls take 0.8 of a core.
    assert sums.needs(spent, pods, NOBODY, 100)["tts"].replicas == 13


def test_what_processes_cost_each_other_grows_with_their_numbers() -> None:
    spent = {name: cost(0.001) for name in SERVICES}
    pods = {name: Pod(10, 1.0, 500) for name in SERVICES}
    between = Peers(probe_sent=1e-6, probe_received=2e-6, status_received=3e-6)
    found = sums.needs(spent, pods, between, 600)
    # 100 of each: a gateway's 6 jobs of a stage are with 5.9 of its workers.
    used = 3 * sums.used_by(100, 6)
    assert used == pytest.approx(17.6, abs=0.1)
    assert found["gateway"].peers == pytest.approx(300 * 3e-6 + 10 * used * 1e-6)
    assert found["stt"].peers == pytest.approx(10 * used / 3 * 2e-6)


def test_jobs_given_out_at_random_meet_some_workers_twice() -> None:
    assert sums.used_by(1, 5) == 1.0
    assert sums.used_by(1, 0.25) == 0.25
    assert sums.used_by(2, 2) == pytest.approx(1.5)
    assert sums.used_by(10, 1000) == pytest.approx(10)


PRICES = bus.Prices({"open": 3.0, "tls": 10.0}, crossing=0.5, record=100.0)


def load(calls: int, replicas: int) -> bus.Load:
    one = bus.PerCall(10.0, 20.0, 1_000.0, 2_000.0, 0.5)
    spent = {name: cost(0.001) for name in SERVICES}
    needed = {name: Need(replicas, 1.0, 1.0, 1.0, 1.0, 0.0) for name in SERVICES}
    return bus.load(one, spent, needed, calls, PRICES)


def test_nats_handles_calls_announcements_probes_and_what_crosses() -> None:
    found = load(calls=1_000, replicas=2)
    # Each gateway uses all 6 workers; the 2 gateways hear all of them.
    assert found.probes == pytest.approx(10 * 2 * 6)
    assert found.statuses == 12
    assert found.published == pytest.approx(10_000 + 120 + 6 + 2)
    assert found.delivered == pytest.approx(20_000 + 120 + 12)
    assert found.crossing == pytest.approx(2 / 3 * 20_120 + 6 * 2)
    messages = (found.published + found.delivered) / 2
    assert found.handled == pytest.approx(messages + found.crossing)
    assert found.writes == 500
    assert found.cores["tls"] == pytest.approx(
        (messages + found.crossing * 0.5) * 10e-6 + 500 * 100e-6
    )


@pytest.mark.parametrize("profile", tables.PROFILES)
def test_a_cell_ends_where_its_bound_is_met(profile: str) -> None:
    spent, pods = {name: cost(0.01) for name in SERVICES}, PODS[profile]
    one = bus.PerCall(70.0, 70.0, 5e4, 5e4, 0.3)
    between = Peers(probe_sent=1e-5, probe_received=1e-4, status_received=1e-4)
    most = bus.cell(one, spent, pods, between, PRICES, 4.0)

    def met(calls: int) -> bool:
        needed = sums.needs(spent, pods, between, calls)
        cores = bus.load(one, spent, needed, calls, PRICES).cores["tls"]
        busy = cores / bus.SERVERS > bus.SERVER_TARGET * 4.0
        return busy or any(need.peers > bus.PEERS_TARGET for need in needed.values())

    assert most.calls > 0
    assert not met(most.calls)
    assert met(most.calls + bus.STEP)


def test_the_page_says_what_was_measured() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == tables.filled(page, result()), "run: python -m benchmarks.sizing --tables"


@pytest.mark.parametrize("profile", tables.PROFILES)
@pytest.mark.parametrize("service", SERVICES)
def test_pods_have_what_the_sums_say(profile: str, service: str) -> None:
    variables: dict[str, str] = {}
    resources: Mapping[str, Any] = {}
    for folder in FOLDERS[profile]:
        if (file := folder / f"{service}.yaml").exists():
            container = _container(file)
            variables |= {
                one["name"]: one["value"] for one in container.get("env", []) if "value" in one
            }
            resources = container.get("resources", resources)
    capacity = "PARLEY_MAX_CONVERSATIONS" if service == "gateway" else "PARLEY_CAPACITY"
    pod = PODS[profile][service]
    assert int(variables[capacity]) == pod.capacity
    assert float(resources["requests"]["cpu"]) == pod.cores
    amount = resources["limits"]["memory"]
    assert amount == resources["requests"]["memory"]
    assert int(amount[:-2]) * {"Mi": 1, "Gi": 1024}[amount[-2:]] == pod.mebibytes


@pytest.mark.parametrize("profile", tables.PROFILES)
@pytest.mark.parametrize("service", SERVICES)
def test_a_pod_has_the_memory_for_all_that_its_cores_can_do(profile: str, service: str) -> None:
    spent, pod = tables.costs(result(), profile)[service], PODS[profile][service]
    calls = min(pod.capacity / spent.jobs, spent.cpu.calls(pod.cores))
    assert spent.memory.at(calls) < 0.8 * pod.mebibytes * sums.MIB / 1e6


@pytest.mark.parametrize("service", ["gateway", "stt"])
def test_a_call_that_is_taken_has_the_cores_it_needs(service: str) -> None:
    """Of these two a call has one job all the time; so no more are taken than there is room for."""
    for profile in tables.PROFILES:
        pod = PODS[profile][service]
        assert tables.costs(result(), profile)[service].cpu.at(pod.capacity) < pod.cores


def _container(file: Path) -> dict[str, Any]:
    (deployment,) = (
        one for one in yaml.safe_load_all(file.read_text()) if one["kind"] == "Deployment"
    )
    container: dict[str, Any] = deployment["spec"]["template"]["spec"]["containers"][0]
    return container
