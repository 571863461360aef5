"""HTTPS, by certificate files."""

import ssl
from pathlib import Path

import httpx
import pytest
import trustme
from websockets.asyncio.client import connect

from parley import health
from parley_gateway.config import GatewayConfig


async def echo(scope: dict, receive: object, send: object) -> None:  # type: ignore[type-arg]
    """An app that takes any WebSocket, and answers any request as the routes of health do."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})  # type: ignore[operator]
        await send({"type": "websocket.send", "text": "over TLS"})  # type: ignore[operator]
        await send({"type": "websocket.close"})  # type: ignore[operator]
        return
    await health.app(lambda: (True, {}))(scope, receive, send)  # type: ignore[arg-type]


def settings(folder: Path) -> tuple[GatewayConfig, ssl.SSLContext]:
    """A gateway's, and whom its callers trust."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(str(folder / "tls.crt"))
    certificate.private_key_pem.write_to_path(str(folder / "tls.key"))
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    config = GatewayConfig(
        tls_certificate=folder / "tls.crt", tls_certificate_key=folder / "tls.key"
    )
    return config, trusting


async def test_https_and_wss(tmp_path: Path) -> None:
    config, trusting = settings(tmp_path)
    async with health.serve(
        echo,
        "127.0.0.1",
        0,
        ssl_certfile=config.tls_certificate,
        ssl_keyfile=config.tls_certificate_key,
    ) as port:
        async with httpx.AsyncClient(trust_env=False, verify=trusting) as client:
            assert (await client.get(f"https://127.0.0.1:{port}/healthz")).is_success
            with pytest.raises(httpx.HTTPError):
                await client.get(f"http://127.0.0.1:{port}/healthz")
        async with connect(f"wss://127.0.0.1:{port}/", ssl=trusting, proxy=None) as socket:
            assert await socket.recv() == "over TLS"


async def test_a_certificate_that_is_no_use_is_named(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("nothing")
    for name, reason in (("none", "No such file"), ("other", "")):
        with pytest.raises(OSError, match=f"cannot use {tmp_path / name} for TLS: {reason}"):
            async with health.serve(echo, "127.0.0.1", 0, ssl_certfile=tmp_path / name):
                pass
