"""What operators see: the fleet, one look at it, lists of calls. Pure parts, in virtual time."""

import io
import json
import os
import subprocess
import sys

import pytest
from rich.console import Console, RenderableType

from parley.messages import WorkerStatus
from parley.operating import GatewayStatus, LiveCall
from parley.records import Event
from parley.subjects import Stage
from parley_cli import calls, look, top_view
from parley_cli.calls import Wanted
from parley_cli.fleet import FORGET_SECONDS, SILENT_SECONDS, Fleet
from parley_cli.look import Look
from parley_cli.operator import NatsState


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def worker(name: str, state: str = "ready", running: int = 0) -> WorkerStatus:
    stage = Stage(name.partition("-")[0])
    fields = {"worker_id": name, "stage": stage, "capacity": 4, "running": running}
    return WorkerStatus.model_validate({**fields, "state": state, "host": "box"})


def gateway(name: str, state: str = "ready", times: tuple[float, ...] = ()) -> GatewayStatus:
    fields = {"gateway_id": name, "capacity": 10, "running": 1, "voice_to_voice_ms": list(times)}
    return GatewayStatus.model_validate({**fields, "state": state, "host": "box"})


def call(name: str, age: float = 10.0) -> LiveCall:
    return LiveCall(id=name, agent="tess", age_seconds=age, state="speaking", turn=2)


def shown(what: RenderableType, width: int = 160) -> str:
    file = io.StringIO()
    Console(file=file, width=width).print(what)
    return file.getvalue()


# --- The fleet


def test_one_that_falls_silent_is_shown_so_and_then_forgotten() -> None:
    clock = Clock()
    fleet = Fleet(clock)
    fleet.note(worker("tts-1"))
    clock.now = SILENT_SECONDS + 0.1
    assert [(one.id, one.state) for one in fleet.workers] == [("tts-1", "silent")]
    fleet.note(worker("tts-1"))
    assert [one.state for one in fleet.workers] == ["ready"]
    clock.now += FORGET_SECONDS
    assert fleet.workers == []
    assert fleet.left == set()


def test_one_that_says_that_it_goes_is_gone_at_once() -> None:
    fleet = Fleet(Clock())
    fleet.note(worker("tts-1"))
    fleet.note(gateway("gateway-1"))
    fleet.note(worker("tts-1", state="gone"))
    assert [one.id for one in fleet.everyone] == ["gateway-1"]
    assert fleet.left == {"tts-1"}
    assert fleet.find("gateway-1") is not None
    assert fleet.find("tts-1") is None


def test_workers_are_in_the_order_in_which_a_turn_needs_them() -> None:
    fleet = Fleet(Clock())
    for name in ("tts-1", "agent-2", "stt-3", "agent-1"):
        fleet.note(worker(name))
    assert [one.id for one in fleet.workers] == ["stt-3", "agent-1", "agent-2", "tts-1"]


# --- One look


@pytest.fixture
def seen() -> Look:
    fleet = Fleet(Clock())
    for status in (worker("stt-1", running=2), worker("stt-2", state="draining", running=1)):
        fleet.note(status)
    fleet.note(gateway("gateway-1", times=(900.0, 500.0)))
    fleet.note(gateway("gateway-2", times=(600.0, 700.0)))
    nats = NatsState("box:4222", "n1", "2.14.6", 0.4, (3, 4096))
    calls_by = {"gateway-1": [call("c1"), call("c2", age=70.0)], "gateway-2": None}
    return Look(nats, fleet.gateways, fleet.workers, calls_by)


def test_a_draining_worker_has_no_capacity(seen: Look) -> None:
    assert look.stages(seen.workers) == {
        "stt": {"workers": 2, "ready": 1, "capacity": 4, "free": 2, "running": 3},
        "agent": {"workers": 0, "ready": 0, "capacity": 0, "free": 0, "running": 0},
        "tts": {"workers": 0, "ready": 0, "capacity": 0, "free": 0, "running": 0},
    }
    assert "50%" in shown(top_view.view(seen))


def test_what_a_silent_one_had_is_not_counted() -> None:
    """Its calls go on elsewhere, and are counted there."""
    clock = Clock()
    fleet = Fleet(clock)
    for status in (gateway("gateway-1"), worker("stt-1", running=3)):
        fleet.note(status)
    clock.now = SILENT_SECONDS
    fleet.note(gateway("gateway-2"))
    seen = Look(None, fleet.gateways, fleet.workers, {})
    assert look.stages(seen.workers)["stt"]["running"] == 0
    assert "1 of 10 calls on 2 gateways" in shown(top_view.view(seen))


def test_latency_is_over_all_gateways(seen: Look) -> None:
    assert look.latency(seen.gateways) == {"turns": 4, "p50_ms": 700.0, "p95_ms": 900.0}
    assert look.latency([]) == {"turns": 0, "p50_ms": None, "p95_ms": None}


def test_the_document_is_json_and_says_what_is_not_known(seen: Look) -> None:
    found = json.loads(json.dumps(look.document(seen, at=5.0)))
    assert [(one["id"], one["gateway"]) for one in found["calls"]] == [
        ("c1", "gateway-1"), ("c2", "gateway-1")
    ]  # fmt: skip
    assert [(one["id"], one["calls_known"]) for one in found["gateways"]] == [
        ("gateway-1", True), ("gateway-2", False)
    ]  # fmt: skip
    assert [(one["id"], one["state"], one["host"]) for one in found["workers"]] == [
        ("stt-1", "ready", "box"), ("stt-2", "draining", "box")
    ]  # fmt: skip
    assert found["nats"]["records"] == [3, 4096]


def test_the_table_says_the_same(seen: Look) -> None:
    text = shown(top_view.view(seen))
    assert "2 of 20 calls on 2 gateways" in text
    assert "p50 700 ms, p95 900 ms" in text
    assert "gateway-2 does not say which calls it has" in text
    assert text.index("c2") < text.index("c1 ")  # The longest first.
    assert "NATS is away" in shown(top_view.view(Look(None, [], [], {})))


def test_of_very_many_workers_those_are_shown_that_need_somebody() -> None:
    fleet = Fleet(Clock())
    for number in range(200):
        fleet.note(worker(f"tts-{number}", running=0))
    for status in (worker("tts-7", state="draining"), worker("tts-150", running=4)):
        fleet.note(status)
    calls_by = {"gateway-1": [call(f"c{number}") for number in range(50)]}
    seen = Look(None, fleet.gateways, fleet.workers, calls_by)
    for lines in (24, 50, 100):
        text = shown(top_view.view(seen, lines))
        assert len(text.splitlines()) <= lines
        assert "tts-7 " in text and "tts-150 " in text
        assert "and 180 more" in text or lines < 100
        assert " speaking " in text


def test_on_a_narrow_terminal_ids_stay_whole() -> None:
    fleet = Fleet(Clock())
    fleet.note(gateway("gateway-0846d62e"))
    calls_by = {"gateway-0846d62e": [call("b5b76de1c02d757e")]}
    text = shown(top_view.view(Look(None, fleet.gateways, [], calls_by)), width=40)
    assert "gateway-0846d62e" in text and "b5b76de1c02d757e" in text
    ended = calls.of_events("b5b76de1c02d757e", ENDED)
    for width in (40, 80):
        assert "b5b76de1c02d757e" in shown(calls.table([ended]), width)
    assert "01-01 00:01:40" in shown(calls.table([ended]), 80)


def test_whoever_reads_from_a_pipe_gets_whole_lines() -> None:
    code = "from parley_cli import operations; print(operations.console.width)"
    piped = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60,
        env=os.environ | {"COLUMNS": "60"},
    )  # fmt: skip
    assert piped.stdout.strip() == "200"


# --- Lists of calls


def event(at: float, kind: str, **fields: object) -> Event:
    return Event("c9", f"{kind}-{at}", kind, at, fields)


ENDED = [
    event(100.0, "started", agent="tess"),
    event(100.1, "recording", file="c9.wav"),
    event(104.0, "user", turn=1, text="Hello."),
    event(105.0, "failover", stage="tts"),
    event(106.0, "turn", turn=1, voice_to_voice_ms=600.0),
    event(108.0, "user", turn=2, text="Bye."),
    event(109.0, "turn", turn=2, voice_to_voice_ms=800.0),
    event(130.0, "ended", epoch=0, reason="hang_up"),
]


def test_a_call_that_is_over_in_one_line() -> None:
    found = calls.of_events("c9", ENDED)
    assert (found.agent, found.started_at, found.seconds) == ("tess", 100.0, 30.0)
    assert (found.turns, found.reason, found.live) == (2, "hang_up", False)
    assert (found.voice_to_voice_ms, found.failovers, found.recording) == (700.0, 1, "c9.wav")
    assert "30s" in shown(calls.table([found]))


def test_a_call_whose_end_nobody_saw_is_lost() -> None:
    found = calls.of_events("c9", ENDED[:-1])
    assert (found.reason, found.seconds) == ("lost", 9.0)
    assert calls.of_events("c9", ENDED[2:]).agent is None  # Its beginning is too old.


def test_a_call_that_goes_on_in_one_line() -> None:
    found = calls.of_live(call("c1"), "gateway-1", now=1000.0)
    assert (found.started_at, found.seconds, found.turns, found.live) == (990.0, 10.0, 2, True)
    assert "live" in shown(calls.table([found]))


@pytest.mark.parametrize(
    ("wanted", "admitted"),
    [
        (Wanted(), ["live", "over"]),
        (Wanted(state="live"), ["live"]),
        (Wanted(state="ended"), ["over"]),
        (Wanted(agent="tess"), ["live", "over"]),
        (Wanted(agent="anna"), []),
        (Wanted(hours=0.1), ["live"]),
    ],
)
def test_filters(wanted: Wanted, admitted: list[str]) -> None:
    now = 1000.0
    found = {"live": calls.of_live(call("c1"), "g", now), "over": calls.of_events("c9", ENDED)}
    assert [name for name, one in found.items() if wanted.admits(one, now)] == admitted
