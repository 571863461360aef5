"""Logging in to NATS: what a service is told when it cannot, and what it never tells."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nats.aio.msg import Msg

from parley import bus as bus_module
from parley import subjects
from parley.bus import Bus, BusUnreachable, respond
from parley.config import ServiceConfig
from parley.operating import Drain
from support.nats import NatsServer
from support.secured import SecuredNats


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredNats]:
    server = SecuredNats(tmp_path_factory.mktemp("nats"), tls=True)
    server.start()
    yield server
    server.stop()


def config(server: SecuredNats, user: str = "tts", **changed: Any) -> ServiceConfig:
    """A service's settings; None takes one away."""
    settings = server.settings(user)
    found = {name.removeprefix("PARLEY_").lower(): value for name, value in settings.items()}
    return ServiceConfig.model_validate({**found, **changed})


async def complaint(wrong: ServiceConfig) -> str:
    """What a service says that cannot log in."""
    with pytest.raises(BusUnreachable) as refused:
        async with Bus(wrong, "parley-tts"):
            pass
    return str(refused.value)


async def test_each_user_is_let_in(locked: SecuredNats) -> None:
    for user in ("gateway", "stt", "agent", "tts", "operator"):
        async with Bus(config(locked, user), f"parley-{user}") as bus:
            assert bus.connected
            assert bus.inbox().startswith(f"_INBOX_{user}.")


async def test_what_is_wrong_is_said_at_once(locked: SecuredNats, tmp_path: Path) -> None:
    no_seed = tmp_path / "seed"
    no_seed.write_text("SUAHALF")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"nats_seed_file": None}, "it lets nobody in without a key: set PARLEY_NATS_SEED_FILE"),
        ({"nats_seed_file": tmp_path / "none"}, f"cannot read {tmp_path / 'none'}: No such file"),
        ({"nats_seed_file": no_seed}, f"{no_seed} holds no nkey seed"),
        ({"nats_ca": None}, "its certificate is not to be trusted"),
        ({"nats_ca": tmp_path / "none"}, f"cannot use {tmp_path / 'none'}: No such file"),
        ({"nats_certificate": None}, "TLS failed: TLSV13_ALERT_CERTIFICATE_REQUIRED"),
        ({"nats_certificate": no_seed}, f"cannot use {no_seed}"),
    ]
    for changed, reason in cases:
        told = await complaint(config(locked, **changed))
        assert f"cannot use NATS at {locked.url}: {reason}" in told
        assert "SUAHALF" not in told


async def test_no_key_is_shown_to_a_server_without_tls(nats_server: NatsServer) -> None:
    url = nats_server.url.replace("nats://", "tls://")
    told = await complaint(ServiceConfig(nats_url=url))
    assert told == f"cannot use NATS at {url}: it offers no TLS"


async def test_a_password_in_the_address_is_not_shown(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus_module, "CONNECT_SECONDS", 0.3)
    nats_server.stop()
    url = nats_server.url.replace("://", "://me:open-sesame@")
    told = await complaint(ServiceConfig(nats_url=url))
    assert "open-sesame" not in told
    assert nats_server.url in told
    assert "Connect call failed" in told


async def test_a_new_key_needs_no_restart(tmp_path: Path) -> None:
    server = SecuredNats(tmp_path)
    server.start()
    try:
        async with Bus(config(server), "parley-tts") as bus, asyncio.timeout(20):
            before = (server.keys / "tts" / "seed").read_bytes()
            server.renew("tts")
            assert (server.keys / "tts" / "seed").read_bytes() != before
            server.reload()
            await bus.wait_disconnected()
            await bus.wait_connected()
            await bus.flush()
    finally:
        server.stop()


async def test_renewed_certificates_need_no_restart(tmp_path: Path) -> None:
    server = SecuredNats(tmp_path, tls=True)
    server.start()
    try:
        async with Bus(config(server), "parley-tts") as bus, asyncio.timeout(20):
            server.renew_certificates()
            server.stop()
            await bus.wait_disconnected()
            server.start()
            await bus.wait_connected()
            await bus.flush()
    finally:
        server.stop()


async def test_an_answer_does_not_outlive_the_connection_of_its_question(tmp_path: Path) -> None:
    server = SecuredNats(tmp_path)
    server.start()
    subject = subjects.operate("tts-1")
    asked: asyncio.Queue[Msg] = asyncio.Queue()
    try:
        async with (
            Bus(config(server), "parley-tts") as tts,
            Bus(config(server, "operator"), "parley-operator") as operator,
            asyncio.timeout(20),
        ):
            await tts.subscribe(subject, asked.put)
            await tts.flush()
            await operator.probe(subject, operator.inbox())
            question = await asked.get()
            server.renew("tts")
            server.reload()
            await tts.wait_disconnected()
            await tts.wait_connected()
            await respond(question, Drain())
            await tts.flush()
            assert "Violation" not in server.log.read_text()
            await operator.probe(subject, operator.inbox())
            await respond(await asked.get(), Drain())
            await tts.flush()
            assert "Violation" not in server.log.read_text()
    finally:
        server.stop()


async def test_an_error_that_ends_the_connection_does_not_end_the_service() -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.write(b'INFO {"max_payload": 1048576, "headers": true}\r\n')
        while data := await reader.read(65536):
            writer.write(b"PONG\r\n" * data.count(b"PING\r\n"))
            if connections == 1 and b"PING\r\n" in data and b"CONNECT" not in data:
                writer.write(b"-ERR 'User Authentication Expired'\r\n")
                break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = ServiceConfig(nats_url=f"nats://127.0.0.1:{port}")
    async with server, Bus(settings, "parley-tts") as bus, asyncio.timeout(20):
        await bus.wait_disconnected()
        await bus.wait_connected()
        assert bus.connected
    assert connections == 2
