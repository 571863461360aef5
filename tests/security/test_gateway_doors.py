"""What the gateway says at its start of what it leaves open, and the operators' own port."""

import time
import urllib.error
import urllib.request
from pathlib import Path

from support.attacked import KEYS, attacked
from support.nats import NatsServer, free_port
from support.service_process import ServiceProcess


def status(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


async def test_operators_have_a_port_of_their_own(tmp_path: Path) -> None:
    with attacked(tmp_path, managed=True) as target:
        gateway = target.gateways[0]
        management = int(gateway.env["PARLEY_MANAGEMENT_PORT"])
        for path in ("/metrics", "/status"):
            assert status(gateway.port, path) == 404
            assert status(management, path) == 200
        for path in ("/healthz", "/readyz"):
            assert status(gateway.port, path) == status(management, path) == 200
        assert status(management, "/conversations/x") == 404
        assert (await target.call(KEYS["shop"])).got_through


def test_what_is_left_open_is_said_once(nats_server: NatsServer, tmp_path: Path) -> None:
    gateway = ServiceProcess(
        "gateway",
        tmp_path / "gateway.log",
        {
            "PARLEY_NATS_URL": nats_server.url,
            "PARLEY_PORT": str(free_port()),
            "PARLEY_HOST": "0.0.0.0",
            "PARLEY_LOG_FORMAT": "json",
        },
    )
    try:
        _wait(gateway)
        warnings = [line for line in gateway.log_lines() if line.get("level") == "warning"]
        assert len([one for one in warnings if "PARLEY_KEYS" in one["event"]]) == 1
    finally:
        gateway.kill()


def test_keys_that_cannot_be_used_keep_the_gateway_from_running(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    (tmp_path / "keys.yaml").write_text("shop: {sha256: parley-the-key-itself}")
    gateway = ServiceProcess(
        "gateway",
        tmp_path / "gateway.log",
        {
            "PARLEY_NATS_URL": nats_server.url,
            "PARLEY_PORT": str(free_port()),
            "PARLEY_KEYS": str(tmp_path / "keys.yaml"),
        },
    )
    assert gateway.process.wait(60) == 1
    log = gateway.log.read_text()
    assert "cannot run" in log
    assert "Traceback" not in log
    assert "parley-the-key-itself" not in log


def _wait(gateway: ServiceProcess) -> None:
    for _ in range(600):
        if any(line.get("event") == "gateway ready" for line in gateway.log_lines()):
            return
        if not gateway.alive:
            break
        time.sleep(0.1)
    raise AssertionError(gateway.log.read_text())
