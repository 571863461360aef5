"""What the commands print, and their exit codes."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console
from unit.cli.line import Line, a_reply, answering, in_turn

from parley_cli import board, checks, doctor, main, plan, ports, services, trials, wav
from parley_cli.call import Options, connect
from parley_cli.checks import Check, Level
from parley_cli.errors import Failure
from parley_cli.script import Script
from parley_cli.talk import talk
from parley_cli.view import View


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["parley", *arguments])
    try:
        return main.main()
    except SystemExit as stopped:
        return int(stopped.code or 0)


async def test_talk_prints_both_sides_and_saves_them(console: Console, tmp_path: Path) -> None:
    out = tmp_path / "call.wav"
    async with answering(a_reply) as (url, _):
        speech = wav.read(_speech(tmp_path), 16_000)
        await talk(url, Options(), Script(speech), out, console)
    lines = printed(console).splitlines()
    assert lines[:3] == ["you: hello", "bot: hi there", "end: you hung up"]
    assert "voice to voice: turn 1:" in printed(console)
    assert out.stat().st_size > 44


async def test_talk_tells_of_a_lost_connection(console: Console) -> None:
    async def dies(line: Line) -> None:
        await line.ready()
        await line.say("reply", text="hi there", turn=1)
        line.drop()

    async def goes_on(line: Line) -> None:
        await line.resume()
        await line.say("holding", reason="no bus")
        await line.say("something_new")
        await line.say("back")
        await line.listen("text")
        await line.say("speaking", turn=1)
        await line.say("spoken", turn=1, text="hi there", cut_off=False)
        await line.listen("end")
        await line.say("end", reason="bye")

    async with answering(in_turn(dies, goes_on)) as (url, _):
        await talk(url, Options(), Script(text="hello?", wait_seconds=20), None, console)
    lines = printed(console).splitlines()
    assert lines[0] == "connection lost, reconnecting ..."
    assert re.fullmatch(r"back after \d+\.\d s", lines[1])
    assert lines[2:6] == ["on hold: no bus", "the engine is back", "bot: hi there", "end: bye"]


async def test_what_is_said_anew_is_shown_once() -> None:
    async def dies(line: Line) -> None:
        await line.ready()
        await line.say("reply", text="I was born", turn=1)
        await line.say("reply", text="It is", turn=1, restart=True)
        await line.say("speaking", turn=1)
        line.drop()

    async def goes_on(line: Line) -> None:
        await line.resume()
        await line.say("reply", text="is noon.", turn=1)
        await line.say("speaking", turn=1)
        await line.say("end", reason="bye")

    console = Console(file=io.StringIO(), width=200, force_terminal=True)
    async with answering(in_turn(dies, goes_on)) as (url, _), connect(url) as call:
        await View(console).follow(call)
    assert "bot: It is" in printed(console) and "bot: is noon." in printed(console)
    assert "bornIt" not in printed(console) and "isis" not in printed(console)


async def test_a_pause_is_shown_as_long_as_it_lasts() -> None:
    async def pauses(line: Line) -> None:
        await line.ready()
        await line.say("reply", text="I was born", turn=1)
        await line.say("speaking", turn=1)
        await line.say("paused", turn=1)
        await line.say("resumed", turn=1, ms=0)
        await line.say("end", reason="bye")

    console = Console(file=io.StringIO(), width=200, force_terminal=True)
    async with answering(pauses) as (url, _), connect(url) as call:
        await View(console).follow(call)
    shown = re.findall(r"bot( \(pauses\))?: I was born", printed(console))
    assert shown == ["", " (pauses)", ""]


def _speech(folder: Path) -> Path:
    import numpy as np

    path = folder / "speech.wav"
    loud = np.full(16 * 200, 4000, np.int16)
    wav.write_stereo(path, loud, loud, 16_000)
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        ("talk",),
        ("talk", "a.wav", "--mic"),
        ("talk", "--text", "hi", "--encoding", "opus"),
        ("talk", "--text", "hi", "--sample-rate", "11025"),
        ("talk", "--text", "hi", "--barge-in", "stop.wav"),
        ("up", "--port", "no"),
        ("drain",),
        ("calls", "--state", "gone"),
        ("replay",),
        ("replay", "c1", "--speed", "0"),
        ("sing",),
    ],
)
def test_bad_usage(monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]) -> None:
    assert run(monkeypatch, *arguments) == 2


def test_expected_failures_are_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"ws://127.0.0.1:{ports.free()}/conversation"
    assert run(monkeypatch, "talk", "--text", "hi", "--url", url) == 1
    assert capsys.readouterr().err == (
        f"parley: nobody answers at {url}. Start the engine with: parley up\n"
    )


def test_a_service_that_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(services, "installed", lambda: ["gateway"])
    assert run(monkeypatch, "stt") == 1
    assert "pip install parley-voice-stt" in capsys.readouterr().err


def test_a_taken_port_is_said_before_anything_starts(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(Failure, match=f"port {port} is taken"):
            plan.specs(plan.Plan(port=port), tmp_path)


def test_the_plan(tmp_path: Path) -> None:
    wanted = plan.Plan(port=ports.free(), nats_url="nats://far:4222", stt=2)
    found = plan.specs(wanted, tmp_path)
    assert [one.name for one in found] == ["gateway", "stt-1", "stt-2", "agent", "tts"]
    assert all(one.env["PARLEY_NATS_URL"] == "nats://far:4222" for one in found)


def test_only_a_nats_of_our_own_keeps_what_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hours(nats_url: str | None) -> str | None:
        wanted = plan.Plan(port=ports.free(), nats_url=nats_url)
        found = {one.name: one.env for one in plan.specs(wanted, tmp_path)}
        assert "PARLEY_RECORD_HOURS" not in found["stt"]
        return found["gateway"].get("PARLEY_RECORD_HOURS")

    monkeypatch.delenv("PARLEY_RECORD_HOURS", raising=False)
    assert (hours(None), hours("nats://far:4222")) == ("24", None)
    monkeypatch.setenv("PARLEY_RECORD_HOURS", "0")  # The environment decides.
    assert hours(None) is None


def test_bad_profiles_stop_the_plan(tmp_path: Path) -> None:
    bad = tmp_path / "agents.yaml"
    bad.write_text("agents:\n  default:\n    voiceProvidr: hibari\n")
    with pytest.raises(Failure, match="did you mean 'voiceProvider'"):
        plan.specs(plan.Plan(port=ports.free(), agents=bad), tmp_path)


def test_doctor_fails_only_for_failures(console: Console) -> None:
    fine = [Check(Level.OK, "a", "b"), Check(Level.WARN, "c", "d", "do this")]
    assert doctor.show(fine, console) == 0
    assert doctor.show([*fine, Check(Level.FAIL, "e", "f", "do that")], console) == 1
    assert "-> do that" in printed(console)


def test_doctor_names_a_provider_that_is_not_installed(tmp_path: Path) -> None:
    path = tmp_path / "agents.yaml"
    path.write_text("agents:\n  anna:\n    voiceProvider: nobody\n")
    failed = [check for check in checks.agents(path) if check.level is Level.FAIL]
    assert [check.what for check in failed] == ["agent anna"]
    assert "hibari" in failed[0].mend
    path.write_text("agents:\n  anna:\n    llmFallbacks: [{provider: somebody}]\n")
    failed = [check for check in checks.agents(path) if check.level is Level.FAIL]
    assert "somebody" in failed[0].found


def test_doctor_tries_each_provider_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    path = tmp_path / "agents.yaml"
    agent = "{llmProvider: openai, openaiApiKey: env:NO_SUCH_KEY, voiceProvider: nobody}"
    path.write_text(f"agents: {{a: {agent}, b: {agent}}}")
    found = {check.what: check for check in trials.providers(path)}
    assert list(found) == ["stt moonshine", "agent openai", "tts nobody"]
    assert found["stt moonshine"].level is Level.OK
    assert "set NO_SUCH_KEY" in found["agent openai"].found
    assert found["tts nobody"].level is Level.FAIL


def test_doctor_names_a_decider_that_is_not_installed(tmp_path: Path) -> None:
    path = tmp_path / "agents.yaml"
    path.write_text("agents: {a: {greeting: {text: Hi, interruption: {decider: nobody}}}}")
    failed = [check for check in checks.agents(path) if check.level is Level.FAIL]
    (check,) = failed
    assert "nobody" in check.found
    assert "words" in check.found


def test_doctor_and_a_gateway_that_is_not_there() -> None:
    url = f"http://127.0.0.1:{ports.free()}"
    assert checks.gateway(url, must_run=False).level is Level.OK
    assert checks.gateway(url, must_run=True).level is Level.FAIL


def test_doctor_and_nats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_NATS_URL", f"nats://127.0.0.1:{ports.free()}")
    assert checks.nats().level is Level.FAIL


@pytest.mark.parametrize(("seconds", "text"), [(42.9, "42s"), (187, "3m07s"), (7500, "2h05m")])
def test_durations(seconds: float, text: str) -> None:
    assert board.duration(seconds) == text
