"""The whole engine under the shipped permissions, each service with a key of its own, over TLS
with certificates on both sides: calls, failover, resuming, records, tokens and new keys.
"""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from parley import api_keys
from parley_cli.call import Options, connect
from support import recordings
from support.engine import FIVE_SENTENCES, STAGES, Engine, ServiceProcess
from support.secured import SecuredNats

pytestmark = [pytest.mark.engine, pytest.mark.timeout(400)]

REFUSALS = ("violation", "authentication error", "authorizationerror")
"""What a log says where NATS has refused something."""


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> SecuredNats:
    return SecuredNats(tmp_path_factory.mktemp("nats"), tls=True)


@pytest.fixture(scope="module")
def key() -> str:
    return "parley-a-key-of-a-test"


@pytest.fixture(scope="module")
def engine(
    nats: SecuredNats, key: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("engine")
    keys = folder / "keys.yaml"
    keys.write_text(f"shop: {{sha256: {api_keys.digest(key)}, minutes_a_day: 600}}\n")
    settings = {user: nats.settings(user) for user in ("gateway", *STAGES)}
    settings["gateway"] |= {
        "PARLEY_KEYS": str(keys),
        "PARLEY_SIGNING_SECRET": "a-secret-of-a-test-" * 3,
        "PARLEY_RECORD_HOURS": "1",
    }
    with Engine(folder, nats=nats, gateways=2, workers=2, settings=settings) as running:
        yield running


async def token(engine: Engine, key: str) -> str:
    """A token of a web page's."""
    url = f"http://127.0.0.1:{engine.port}/tokens"
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(url, json={}, headers={"Authorization": f"Bearer {key}"})
    return str(answer.raise_for_status().json()["token"])


async def test_a_call_goes_on_through_everything(
    engine: Engine, nats: SecuredNats, key: str
) -> None:
    options = Options(agent="five", token=await token(engine, key))
    async with connect(engine.urls, options) as call:
        call.play(np.frombuffer(recordings.recording("clone-test.wav"), "<i2"))
        heard = await call.wait_for("transcription", is_final=True, timeout=60)
        assert "America" in heard.data["message"]
        await call.wait_for("speaking", turn=1, timeout=60)
        for stage in ("stt", "tts"):
            engine.busy(stage)[0].kill()
        nats.renew("gateway", *STAGES)
        nats.reload()
        await call.wait_for("spoken", turn=1, timeout=90, text=FIVE_SENTENCES)

        engine.busy("gateway")[0].kill()
        await call.until(lambda: bool(call.reconnects) and call.connected, 60)
        await call.text("And on Mondays?")
        await call.wait_for("spoken", turn=2, timeout=90, text=FIVE_SENTENCES)
        await call.end()
    await until_recorded(engine, key, str(call.events[0].data["conversation_id"]))
    assert refused(engine, nats) == []


async def until_recorded(engine: Engine, key: str, conversation_id: str) -> None:
    """What was said can be read at the gateway that is left."""
    (gateway,) = engine.running("gateway")
    url = f"http://127.0.0.1:{gateway.port}/conversations/{conversation_id}"
    async with asyncio.timeout(30), httpx.AsyncClient(trust_env=False) as client:
        while True:
            answer = await client.get(url, headers={"Authorization": f"Bearer {key}"})
            if answer.is_success and len(answer.json()["transcript"]) >= 4:
                return
            await asyncio.sleep(0.2)


def refused(engine: Engine, nats: SecuredNats) -> list[str]:
    """The lines of all logs that tell of a refusal."""
    logs = [nats.log, *(one.log for one in engine.services)]
    return [
        line
        for path in logs
        for line in path.read_text().splitlines()
        if any(word in line.lower() for word in REFUSALS)
    ]


async def test_a_service_whose_key_is_not_known_says_so_and_ends(
    engine: Engine, tmp_path: Path
) -> None:
    stranger = tmp_path / "seed"
    stranger.write_text("SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY\n")
    service: ServiceProcess = engine.start("tts", PARLEY_NATS_SEED_FILE=str(stranger))
    assert service.process.wait(60) == 1
    (line,) = [line for line in service.log_lines() if line["event"] == "cannot run"]
    assert "it lets nobody in with the key U" in line["reason"]
    assert "SUAC" not in service.log.read_text()
    assert service.stop(signal.SIGTERM) == 1
