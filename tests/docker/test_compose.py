"""`docker compose up`: healthy, locked down, a spoken conversation; scaled; a worker killed."""

import asyncio
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from docker.models.containers import Container
from playwright.async_api import expect

from parley_cli.call import Call, Options, connect
from support import listener, recordings, words
from support.browser import chromium, needs_chromium
from support.compose import Stack, inside, jobs, kill, until

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

SERVICES = ("gateway", "stt", "agent", "tts")
RATE = 44_100


def health(stack: Stack) -> dict[str, str]:
    states = {}
    for one in stack.containers():
        state = one.attrs["State"]
        states[str(one.name)] = state.get("Health", {}).get("Status", state["Status"])
    return states


async def ask(call: Call, seconds: float = 60) -> tuple[str, str]:
    """Say a recorded sentence, hear the answer to its end: what was understood, what was said."""
    since = len(call.events)
    call.play(np.frombuffer(recordings.recording("clone-test.wav"), "<i2"))
    spoken = await call.wait_for("spoken", since=since, timeout=seconds, cut_off=False)
    await call.until(lambda: not call.playback.playing, 10)
    heard = [
        one.data["message"]
        for one in call.events[since:]
        if one.type == "transcription" and one.data["is_final"]
    ]
    return " ".join(heard), str(spoken.data["text"])


def test_all_of_it_is_healthy(stack: Stack) -> None:
    states = health(stack)
    (keys,) = (name for name in states if "nats-keys" in name)
    assert states.pop(keys) == "exited"
    assert len(states) >= 8
    assert set(states.values()) == {"healthy"}, states
    assert stack.http("/readyz")["ready"]


@pytest.mark.parametrize("service", [*SERVICES, "nats-exporter"])
def test_who_breaks_into_a_container_can_do_little(stack: Stack, service: str) -> None:
    (container,) = stack.containers(service)
    _, status = inside(container, "cat", "/proc/1/status")
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    assert fields["Name"].strip() == "tini"
    assert set(fields["Uid"].split()) == set(fields["Gid"].split()) == {"10001"}
    assert int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 0
    assert fields["NoNewPrivs"].strip() == "1"
    for place in ("/x", "/opt/parley/x", "/run/parley/x"):
        code, output = inside(container, "sh", "-c", f"echo > {place}", user="0")
        assert code != 0, f"{service} can write {place}: {output}"
    assert inside(container, "sh", "-c", "echo > /tmp/x")[0] == 0


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_its_own_key_only(stack: Stack, service: str) -> None:
    (container,) = stack.containers(service)
    code, listed = inside(container, "find", "/run/parley", "/keys", "-type", "f")
    assert (code, listed.split()) == (0, ["/run/parley/seed"])
    seeds = {
        inside(one, "cat", "/run/parley/seed")[1]
        for name in SERVICES
        for one in stack.containers(name)
    }
    assert len(seeds) == len(SERVICES)


async def test_a_person_talks(stack: Stack) -> None:
    async with connect(stack.url, Options()) as call:
        heard, said = await ask(call)
        recognised = listener.listen(call.bot_audio.tobytes())
        await call.end()
    assert "America" in heard
    assert words.share_recognised(said, recognised) >= 0.85, (said, recognised)


@pytest.mark.browser
@needs_chromium
async def test_the_page_talks(stack: Stack, tmp_path: Path) -> None:
    speech = np.frombuffer(recordings.recording("clone-test.wav", RATE), "<i2")
    wav = tmp_path / "microphone.wav"
    soundfile.write(wav, np.concatenate([np.zeros(RATE, np.int16), speech]), RATE)
    async with chromium(wav) as browser:
        page = await browser.new_page()
        await page.goto(f"http://localhost:{stack.port}/")
        await page.click("#talk")
        await expect(page.locator("#transcript .caller")).to_contain_text("America", timeout=60_000)
        await expect(page.locator("#transcript .bot").last).to_contain_text("Bot: ", timeout=30_000)
        await page.click("#talk")
        await expect(page.locator("#state")).to_have_text("Press to talk")


def sees(stack: Stack, service: str, count: int) -> bool:
    """Whether Prometheus has just read so many of them."""
    return [value for _, value in stack.query(f'sum(up{{job="parley-{service}"}})')] == [count]


def test_prometheus_sees_all_workers_however_many(stack: Stack) -> None:
    stack.up("--no-recreate", "--scale", "stt=3", "--scale", "tts=2", "--scale", "agent=2")
    assert len(stack.containers("stt")) == 3
    expected = {"gateway": 1, "stt": 3, "agent": 2, "tts": 2}
    for service, count in expected.items():
        until(
            partial(sees, stack, service, count),
            90,
            f"Prometheus sees {count} of {service}",
        )
    stages = [worker["stage"] for worker in stack.http("/status")["workers"]]
    assert [stages.count(name) for name in ("stt", "agent", "tts")] == [3, 2, 2]
    (spoken,) = stack.query('sum(parley_turns_total{outcome="spoken"})')
    assert spoken[1] >= 1
    watched = '{__name__=~"(gnatsd|nats)_varz_connections"}'
    until(lambda: bool(stack.query(watched)), 60, "NATS is watched")


@pytest.mark.parametrize("stage", ["stt", "agent", "tts"])
async def test_a_worker_is_killed_under_a_call(stack: Stack, stage: str) -> None:
    stack.up("--no-recreate", "--scale", "stt=3", "--scale", "tts=2", "--scale", "agent=2")
    async with connect(stack.url, Options()) as call:
        await ask(call)
        since = len(call.events)
        call.play(np.frombuffer(recordings.recording("clone-test.wav"), "<i2"))
        if stage != "stt":
            await call.wait_for("speaking", since=since, timeout=30)
        workers = stack.containers(stage)
        victim = next(filter(jobs, workers), workers[0])
        kill(victim)
        await call.wait_for("spoken", since=since, timeout=60, cut_off=False)
        heard, said = await ask(call)
        await call.end()
    assert "America" in heard
    assert said
    until(lambda: restarted(victim), 60, f"{victim.name} is healthy again")


def restarted(container: Container) -> bool:
    container.reload()
    state = container.attrs["State"]
    return bool(container.attrs["RestartCount"] == 1 and state["Health"]["Status"] == "healthy")


async def test_everything_is_replaced_under_a_call(stack: Stack) -> None:
    old = {one.id for name in SERVICES for one in stack.containers(name)}
    async with connect(stack.url, Options()) as call:
        before, _ = await ask(call)
        await asyncio.to_thread(stack.roll)
        after, said = await ask(call)
        await call.end()
    assert "America" in before
    assert "America" in after
    assert said
    assert not old & {one.id for name in SERVICES for one in stack.containers(name)}


def test_services_stop_in_peace(stack: Stack) -> None:
    stack.compose("stop", *SERVICES)
    codes = {
        one.name: one.attrs["State"]["ExitCode"]
        for name in SERVICES
        for one in stack.containers(name)
    }
    assert set(codes.values()) == {0}, codes
